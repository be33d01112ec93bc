"""How connections to instances that speak HTTPS are secured.

Field names are the keys of the YAML file, as in model.py. What the keys mean together, and whether the files can be
used, is in instance_rules.py.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from lb.config import addresses, names
from lb.config.base import Section
from lb.config.fields import File, Switch, Written
from lb.config.problems import quoted
from lb.config.units import BadValueError, describe


def _server_name(value: object) -> str:
    if not isinstance(value, str):
        raise BadValueError(f"{describe(value)} is not a name", "write the name in the certificate: app.internal")
    name = value.strip().lower().removesuffix(".")
    if not addresses.is_address(name) and not all(map(names.is_label, name.split("."))):
        raise BadValueError(f"{quoted(value)} is not a name", "write the name in the certificate: app.internal")
    return name


class InstanceTlsSettings(Section):
    """How connections to instances that are written as https://… are secured."""

    verify: Switch = Field(
        default=True,
        description="false: any certificate is accepted, so that whoever is in between can read and change requests.",
    )
    server_name: Annotated[str, BeforeValidator(_server_name, json_schema_input_type=Written)] | None = Field(
        default=None,
        description="Name that the certificate must have, also sent as SNI; without it the instance's host.",
    )
    ca: File | None = Field(
        default=None, description="PEM file of the authorities to trust; without it those of the system."
    )
    cert: File | None = Field(
        default=None, description="PEM file of the certificate that lb presents to the instances."
    )
    key: File | None = Field(default=None, description="PEM file of its private key; without it, it is in cert.")
