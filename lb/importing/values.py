"""Values as other proxies write them → values of lb: times, sizes, networks, names, addresses, fields.

Each function returns None for what lb cannot have; what that means is for its caller to say.
"""

from __future__ import annotations

import re
from decimal import Decimal
from ipaddress import ip_network

from lb.config import addresses, names
from lb.config.units import BadValueError, show_duration, show_size
from lb.http.field_rules import why_not
from lb.importing.draft import Said, Settings, put
from lb.importing.source_line import SourceLine

_LONGEST = 30 * 86400  # seconds, as lb's durations
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|[smhdwMy]?)", re.ASCII)
_SECONDS = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),
    "ms": Decimal("0.001"),
    "": Decimal(1),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
    "w": Decimal(604800),
    "M": Decimal(30 * 86400),
    "y": Decimal(365 * 86400),
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgt]?)(i?)(b?)", re.IGNORECASE | re.ASCII)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_VARIABLE = re.compile(r"\$\{[^}]*\}")

UNLIMITED_BODY = "1T"  # lb has no "unlimited"; nobody sends that much


def words(text: str) -> frozenset[str]:
    """The words of a table that is written as text."""
    return frozenset(text.split())


def seconds(text: str) -> float | None:
    """The seconds of a time such as 60, 60s, 1h30m, 500ms."""
    text = text.replace(" ", "")
    parts = list(_PART.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        return None
    return float(sum(Decimal(part[1]) * _SECONDS[part[2]] for part in parts))


def duration(text: str) -> str | None:
    """The same as a duration of lb: at most 30 days, not zero."""
    if is_variable(text):
        return text
    length = seconds(text)
    return None if not length else show(min(length, _LONGEST))


def show(length: float) -> str:
    """So many seconds as lb's file has them: 1h, 90s, 500ms."""
    return show_duration(max(round(length, 3), 0.001))


def size(text: str, *, decimal: bool = False) -> str | None:
    """A size of lb: 80m is 80M. With `decimal` a unit without i counts in thousands, as Caddy has it."""
    if is_variable(text):
        return text
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        return None
    unit = found[2].lower()
    base = 1000 if decimal and not found[3] and unit else 1024
    total = int(Decimal(found[1]) * base ** _POWERS[unit])
    return show_size(total)


def is_variable(text: str) -> bool:
    """Whether it has a variable of the environment, whose value is not known here."""
    return _VARIABLE.search(text) is not None


def without_variables(path: str) -> str:
    """A path with a name of their own in place of variables of the environment: whatever they are, they differ."""
    return _VARIABLE.sub(lambda found: "variable-" + re.sub(r"\W+", "-", found[0]).strip("-"), path)


def network(text: str) -> str | None:
    """A network or an address; host bits of a network are cleared, as others do it silently."""
    if is_variable(text):
        return text
    try:
        return str(addresses.parse_network(text))
    except BadValueError:
        pass
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return None


def domain(text: str) -> str | None:
    """A domain, or a wildcard for one label."""
    if is_variable(text):
        return text
    try:
        return names.parse_domain(text)
    except BadValueError:
        return None


def instance(host: str, port: str | int, *, tls: bool = False) -> str | None:
    """The address of an instance; `host` may be unix:/path."""
    if host.startswith("unix:"):
        text = host
    else:
        host = "127.0.0.1" if host in ("*", "0.0.0.0", "") else host  # noqa: S104 - compared with, not bound
        text = f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"
    if is_variable(text):
        return f"https://{text}" if tls else text
    try:
        addresses.parse_instance(text)
    except BadValueError:
        return None
    return f"https://{text}" if tls else text


def listen_address(text: str) -> str | None:
    """An address to listen on: :80 for every address."""
    for every in ("0.0.0.0:", "[::]:", "*:"):
        text = ":" + text.removeprefix(every) if text.startswith(every) else text
    try:
        addresses.parse_listen(text)
    except BadValueError:
        return None
    return text


def braces(text: str) -> str:
    """Literal text for a template of lb."""
    return text.replace("{", "{{").replace("}", "}}")


def braces_but_variables(text: str) -> str:
    """The same; variables of the environment stay."""
    pieces = re.split(r"(\$\{[^}]*\})", text)
    return "".join(piece if piece.startswith("${") else braces(piece) for piece in pieces)


def put_field(settings: Settings, side: str, action: str, field: tuple[str, str], at: SourceLine) -> str | None:
    """Sets a header field in the settings; returns the reason if lb does not let it be changed."""
    name, value = field
    reason = why_not(name, response=side == "response")
    if reason is None:
        put(settings, ("headers", side, action, name), value, at)
    return reason


def remove_field(settings: Settings, side: str, name: str, at: SourceLine) -> str | None:
    """Removes a header field in the settings; returns the reason if lb does not let it be removed."""
    reason = why_not(name, response=side == "response")
    if reason is None:
        section = settings.setdefault("headers", {}).setdefault(side, {})
        before = section.get("remove", Said((), ()))
        section["remove"] = Said((*before.value, name), (*before.at, at))
    return reason
