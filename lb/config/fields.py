"""The types of the configuration's values: each accepts what people write and holds what the program uses.

This file connects the parsers of single values (units, names, addresses, suggest) to pydantic, with their JSON Schema.
It must not know which key has which type: that is the model.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticUndefined, core_schema

from lb.config import addresses, balancing, names, units
from lb.config.problems import quoted
from lb.config.suggest import parse_choice
from lb.config.tree import Blank
from lb.config.units import BadValueError, describe


def one_or_more(item: Any, *, empty: bool = True) -> BeforeValidator:
    """A list, or a single item, which stands for a list of one."""

    def as_tuple(value: object) -> tuple[object, ...]:
        items = tuple(value) if isinstance(value, (list, tuple)) else (value,)
        if not items and not empty:
            raise BadValueError("the list is empty", "give it at least one item, or remove the key")
        return items

    return BeforeValidator(as_tuple, json_schema_input_type=item | list[item])


Written = str | float | bool
"""What is accepted as text: values are taken as written, so 503 and true are text there."""


def spelled(pattern: str) -> Any:
    """Text of this pattern; blanks around it do not matter."""
    return Annotated[str, Field(pattern=f"^\\s*({pattern})\\s*$")]


_Duration = Annotated[float, Field(gt=0)] | spelled(units.DURATION_PATTERN)


def size(most: int, least: int = 1) -> BeforeValidator:
    """Bytes: a number, or one with a unit."""

    def parse(value: object) -> int:
        return units.parse_size(value, least, most)

    schema = Annotated[int, Field(ge=least, le=most)] | spelled(units.SIZE_PATTERN)
    return BeforeValidator(parse, json_schema_input_type=schema)


def count(most: int) -> BeforeValidator:
    """A whole number from 1 to `most`."""

    def parse(value: object) -> int:
        return units.parse_count(value, 1, most)

    return BeforeValidator(parse, json_schema_input_type=Annotated[int, Field(ge=1, le=most)])


def seconds(least: float, most: float) -> BeforeValidator:
    """A duration in seconds, from `least` to `most`."""

    def parse(value: object) -> float:
        return units.parse_duration(value, least, most)

    return BeforeValidator(parse, json_schema_input_type=_Duration)


def choice(*options: str, written: Any = PydanticUndefined) -> BeforeValidator:
    """One of a few words; `written` is the schema of all accepted spellings, if there are more."""

    def parse(value: object) -> str:
        return parse_choice(value, options)

    return BeforeValidator(parse, json_schema_input_type=written)


On = Literal[True] | Annotated[str, Field(pattern=f"^({units.ON_PATTERN})$")]
Off = Literal[False] | Annotated[str, Field(pattern=f"^({units.OFF_PATTERN})$")]
"""The words that switch a whole setting on and off, with or without quotes."""


def or_off(parse: Callable[[object], object], item: Any) -> BeforeValidator:
    """What `parse` returns, or None for a setting that is switched off."""

    def parse_or_off(value: object) -> object:
        return None if value is None or units.is_off(value) else parse(value)

    return BeforeValidator(parse_or_off, json_schema_input_type=item | Off)


def _nothing(value: object) -> object:
    return None if value is Blank.EMPTY else value


class _OrNone:
    """Like BeforeValidator, but null is also in the schema."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(_nothing, handler(source))

    def __get_pydantic_json_schema__(self, inner: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> Any:
        return {"anyOf": [handler(inner), NOTHING]}


NOTHING = {"const": None}
or_none = _OrNone()
"""For keys that may have no value: `profile: null`."""


def _path(value: object) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str):
        raise BadValueError(f"{describe(value)} is not a file's path")
    if not value or "\0" in value:
        raise BadValueError("the path has a NUL character" if value else "the path is empty")
    return Path(value)


def _log_path(value: object) -> str:
    return "-" if value == "-" else str(_path(value))


def _media_type(value: object) -> str:
    if not isinstance(value, str) or value.count("/") != 1 or not all(value.split("/")):
        raise BadValueError(f"{describe(value)} is not a media type", "write a type and a subtype: text/html")
    if not value.isascii() or not value.isprintable() or any(character in value for character in "*;, "):
        hint = "write each by itself and without parameters: text/html"
        raise BadValueError(f"{quoted(value)} is not one media type", hint)
    return value.lower()


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise BadValueError(f"{describe(value)} is not text", "write one line of text")
    return str(value)


def _app_name(value: object) -> str:
    if not isinstance(value, (str, int)):
        raise BadValueError(f"{describe(value)} cannot name an app", "write a name: my-shop")
    text = str(value)
    if not names.is_label(text.lower().replace(".", "-")):
        hint = "use letters, digits, hyphens and underscores: my-shop"
        raise BadValueError(f"{quoted(text)} cannot name an app", hint)
    return text


def _workers(value: object) -> int | None:
    if value is None or value == "auto":
        return None
    try:
        return units.parse_count(value, 1, _MOST_WORKERS)
    except BadValueError as error:
        hint = error.hint or "write a number, or auto for one per core"
        raise BadValueError(error.message, hint) from None


def _optional_duration(value: object) -> float:
    return units.parse_duration(value, instead_of_zero="write off, or remove the key")


def _secret(value: object) -> str:
    if not isinstance(value, str) or len(value) < _SHORTEST_SECRET:
        hint = f"write at least {_SHORTEST_SECRET} characters, or ${{NAME}} for an environment variable"
        raise BadValueError("the secret is too short" if isinstance(value, str) else "this is not a secret", hint)
    return str(value)


def _domain_or_any(value: object) -> str:
    return names.CATCH_ALL if value == names.CATCH_ALL else names.parse_domain(value)


def _shared_domain(value: object) -> object:
    if isinstance(value, str) and value.startswith("*."):
        raise BadValueError(f"{quoted(value)} is a wildcard", f"write {value[2:]}: app names are prepended to it")
    return value


def _health_uri(value: object) -> str:
    if not isinstance(value, str):
        raise BadValueError(f"{describe(value)} is not a path", _URI_FORMS)
    if "://" in value:
        raise BadValueError(f"{quoted(value)} is a URL, not a path", "write the part after the host: /health")
    if not value.startswith("/") or not value.isascii() or not value.isprintable() or set(" #") & set(value):
        word = value.rpartition(" ")[2]
        hint = f"write {word}" if word.startswith("/") and " " in value else _URI_FORMS
        raise BadValueError(f"{quoted(value)} is not a valid path", hint)
    return str(value)


def _one_status(value: object) -> str:
    text = str(value).lower() if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    if _STATUS.fullmatch(text) is None:
        raise BadValueError(f"{describe(value)} is not a status", _about_status(text))
    return text


def _about_status(text: str) -> str:
    if (found := _STATUSES.match(text)) is not None:
        first, last = int(found[1][0]), int((found[2] or found[1])[0])
        if found[2] and first < last:
            return f"write a list of classes: [{', '.join(f'{one}xx' for one in range(first, last + 1))}]"
        return f"write {found[1]}"
    return "write a status or a class of them: 200, 2xx"


_STATUSES = re.compile(r"([1-5](?:[0-9]{2}|xx))(?: ?- ?([1-5](?:[0-9]{2}|xx))$| [a-z ]*$)", re.ASCII)
_MOST_WORKERS = 1024
_URI_FORMS = "write a path, with a query if needed: /health, /health?full=1"
_STATUS = re.compile(r"[1-5]([0-9]{2}|xx)", re.ASCII)
_SHORTEST_SECRET = 16
_Yes = bool | Annotated[str, Field(pattern=f"^({units.ON_PATTERN}|{units.OFF_PATTERN})$")]
_Cores = Annotated[int, Field(ge=1, le=_MOST_WORKERS)] | Literal["auto"]
_Network = IPv4Network | IPv6Network
_Share = spelled(balancing.SHARE_PATTERN)

Seconds = Annotated[float, BeforeValidator(units.parse_duration, json_schema_input_type=_Duration)]
Switch = Annotated[bool, BeforeValidator(units.parse_switch, json_schema_input_type=_Yes)]
Workers = Annotated[int | None, BeforeValidator(_workers, json_schema_input_type=_Cores)]
File = Annotated[Path, BeforeValidator(_path, json_schema_input_type=Written)]
LogPath = Annotated[str, BeforeValidator(_log_path, json_schema_input_type=Written)]
MediaType = Annotated[str, BeforeValidator(_media_type, json_schema_input_type=str)]
Network = Annotated[_Network, BeforeValidator(addresses.parse_network, json_schema_input_type=str)]
DomainName = Annotated[str, BeforeValidator(names.parse_domain, json_schema_input_type=Written)]
DomainOrAny = Annotated[str, BeforeValidator(_domain_or_any, json_schema_input_type=Written)]
SharedDomain = Annotated[DomainName, BeforeValidator(_shared_domain, json_schema_input_type=Written)]
_Status = Annotated[int, Field(ge=100, le=599)] | Annotated[str, Field(pattern="^[1-5]([0-9]{2}|[xX]{2})$")]
HealthUri = Annotated[str, BeforeValidator(_health_uri, json_schema_input_type=str)]
Status = Annotated[str, BeforeValidator(_one_status, json_schema_input_type=_Status)]
AppName = Annotated[str, BeforeValidator(_app_name, json_schema_input_type=Written)]
Text = Annotated[str, BeforeValidator(_text, json_schema_input_type=Written)]
Protocol = Annotated[Literal["h2", "http/1.1"], choice("h2", "http/1.1")]
Algorithm = Annotated[Literal["zstd", "br", "gzip"], choice("zstd", "br", "gzip")]
LogFormat = Annotated[
    Literal["json", "combined", "off"],
    choice("json", "combined", "off", written=Literal["json", "combined"] | Off),
]
Balance = Annotated[
    Literal["round_robin", "least_connections", "power_of_two", "consistent_hash", "sticky"],
    BeforeValidator(balancing.parse_balance),
]


def _proxy_version(value: object) -> object:
    return parse_choice(value, ("v1", "v2"))


SendProxy = Annotated[Literal["v1", "v2"] | None, or_off(_proxy_version, Literal["v1", "v2"])]
ClientFrom = Annotated[Literal["connection", "forwarded"], choice("connection", "forwarded")]
HashOn = Annotated[
    str,
    BeforeValidator(balancing.parse_hash, json_schema_input_type=spelled(balancing.HASH_PATTERN)),
]
CookieName = Annotated[str, BeforeValidator(balancing.parse_cookie_name, json_schema_input_type=Written)]
Secret = Annotated[str, BeforeValidator(_secret, json_schema_input_type=Written)]
SecondsOrOff = Annotated[float | None, or_off(_optional_duration, _Duration)]
ShareOrOff = Annotated[float | None, or_off(balancing.parse_share, _Share)]
