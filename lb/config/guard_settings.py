"""How a route asks who its clients are: passwords of a file, or the word of an authentication service.

Field names are the keys of the YAML file, as in model.py. What the files hold is looked at in guard_rules.py.
"""

from __future__ import annotations

import re
import warnings
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import BeforeValidator, Field

from lb.config import addresses, names
from lb.config.base import Section
from lb.config.fields import File, Written, one_or_more, seconds
from lb.config.problems import quoted
from lb.config.units import BadValueError, describe
from lb.http.field_rules import why_not

_PRINTABLE = re.compile(r"[ -~]{1,100}")
_URL_FORMS = "write one such as http://127.0.0.1:9091/verify"
_IS_PLAIN = re.compile(r"[!-~]+")
_OF_THE_REQUEST = frozenset({"host", "x-request-id", "expect"})


def _realm(value: object) -> str:
    if not isinstance(value, str) or _PRINTABLE.fullmatch(value) is None:
        raise BadValueError(f"{describe(value)} is no realm", "write up to 100 characters of ASCII: Internal tools")
    return value


class BasicAuthSettings(Section):
    """Users and passwords (HTTP Basic)."""

    file: File = Field(description="Password file, as htpasswd -B makes it: bcrypt, argon2 and apr1 hashes.")
    realm: Annotated[str, BeforeValidator(_realm, json_schema_input_type=Written)] = Field(
        default="restricted", description="What a browser calls it when it asks for the password."
    )


class ServiceAddress(Section):
    """The URL of an authentication service: `host` (an address or a name) and `port`, `target`, `text` as written."""

    host: str
    port: int
    target: str
    text: str


def _service_url(value: object) -> object:
    if isinstance(value, ServiceAddress):
        return value
    if not isinstance(value, str):
        raise BadValueError(f"{describe(value)} is not a URL", _URL_FORMS)
    text = value.strip()
    if _IS_PLAIN.fullmatch(text) is None:
        raise BadValueError(f"{quoted(text)} has a character that a URL must encode", _URL_FORMS)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise BadValueError(f"{quoted(text)} is not a URL", _URL_FORMS) from None
    if parts.scheme == "https":
        raise BadValueError(f"{quoted(text)} is an https URL", "lb asks the service in plain HTTP: write http://")
    if parts.scheme != "http" or not parts.hostname or "@" in parts.netloc or parts.fragment or port == 0:
        raise BadValueError(f"{quoted(text)} is not a URL that can be asked", _URL_FORMS)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return ServiceAddress(host=_host(parts, text), port=port or 80, target=target, text=text)


def _host(parts: SplitResult, text: str) -> str:
    host = parts.hostname or ""
    if addresses.is_ip(host):
        try:
            return str(ip_address(host))
        except ValueError:
            raise BadValueError(f"{quoted(text)} names no host", _URL_FORMS) from None
    labels = host.removesuffix(".").split(".")
    if not all(names.is_label(label.replace("_", "-")) for label in labels):
        raise BadValueError(f"{quoted(text)} names no host", _URL_FORMS)
    return host


def _copied(value: object) -> str:
    if not isinstance(value, str):
        raise BadValueError(f"{describe(value)} is not a field name", "write a name, such as Remote-User")
    reason = why_not(value, response=False)
    if reason is None and value.lower() in _OF_THE_REQUEST:
        reason = f"{value} is the request's own"
    if reason is not None:
        raise BadValueError(reason, "write the name of another field, such as Remote-User")
    return value


_CopiedField = Annotated[str, BeforeValidator(_copied, json_schema_input_type=Written)]


with warnings.catch_warnings():  # `copy` is the word, and pydantic has a method of that name, which nothing here calls
    warnings.simplefilter("ignore", UserWarning)

    class ForwardAuthSettings(Section):
        """An authentication service, which is asked before a request goes on."""

        url: Annotated[ServiceAddress, BeforeValidator(_service_url, json_schema_input_type=str)] = Field(
            description="Where it is asked: http://127.0.0.1:9091/verify."
        )
        copy: Annotated[tuple[_CopiedField, ...], one_or_more(Written)] = Field(  # type: ignore[assignment]
            default=(),
            description="Fields of its answer that the app gets; a client's own of these names are removed.",
        )
        timeout: Annotated[float, seconds(0.01, 3600.0)] = Field(
            default=10.0, description="For its answer; beyond it 504, and the request does not go on."
        )


def _basic_auth(value: object) -> object:
    return {"file": value} if isinstance(value, str) else value


def _forward_auth(value: object) -> object:
    return {"url": value} if isinstance(value, str) else value


BasicAuth = Annotated[
    BasicAuthSettings, BeforeValidator(_basic_auth, json_schema_input_type=Written | BasicAuthSettings)
]
ForwardAuth = Annotated[
    ForwardAuthSettings, BeforeValidator(_forward_auth, json_schema_input_type=str | ForwardAuthSettings)
]
