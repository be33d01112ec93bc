"""Strict-Transport-Security of a domain (RFC 6797): how long browsers use HTTPS alone.

Field names are the keys of the YAML file, as in model.py.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from lb.config import units
from lb.config.base import Section
from lb.config.fields import On, Switch, or_off, spelled

YEAR = 365 * 86400.0
_LONGEST = 10 * YEAR


def _max_age(value: object) -> float:
    if str(value).strip() in ("0", "0s"):
        return 0.0
    return units.parse_duration(value, 1.0, _LONGEST)


_Age = Annotated[float, Field(ge=0)] | spelled(units.DURATION_PATTERN)


class HstsSettings(Section):
    """What Strict-Transport-Security says."""

    max_age: Annotated[float, BeforeValidator(_max_age, json_schema_input_type=_Age)] = Field(
        default=YEAR, description="For how long browsers use HTTPS alone: 365d; 0s makes them forget it."
    )
    subdomains: Switch = Field(default=False, description="Whether that holds for all names under the domain, too.")
    preload: Switch = Field(
        default=False, description="Whether the domain may be in the lists that browsers ship with; hard to undo."
    )

    @property
    def value(self) -> str:
        """The value of the field."""
        more = ("; includeSubDomains" if self.subdomains else "") + ("; preload" if self.preload else "")
        return f"max-age={int(self.max_age)}{more}"


def _hsts(value: object) -> object:
    if units.is_on(value):
        return {}
    return {"max_age": value} if isinstance(value, (str, int, float)) else value


Hsts = Annotated[HstsSettings | None, or_off(_hsts, HstsSettings | On | _Age)]
