"""The names of a server, and redirects that depend on the name by which a client came."""

from __future__ import annotations

import re

from lb.importing import values
from lb.importing.nginx.answers import location_template
from lb.importing.nginx.scope import Scope
from lb.importing.nginx.syntax import Directive
from lb.importing.omissions import Omissions, Weight
from lb.importing.source_line import SourceLine

_ANY = frozenset(("_", "", "__", "--"))
_PLAIN_HTTP = frozenset(
    ("$scheme = http", "$scheme != https", "$https =", "$https != on", "$server_port = 80", "$ssl_protocol =")
) | frozenset(("$server_port != 443", "$http_x_forwarded_proto = http", "$http_x_forwarded_proto != https"))


def names_of(scope: Scope, server: Directive, omissions: Omissions) -> dict[str, SourceLine]:
    """The names that lb can bind, each with its line; "*" for every name that nobody bound."""
    found: dict[str, SourceLine] = {}
    for one in scope.own("server_name"):
        for written in one.arguments:
            for name in _bindable(written, one, omissions):
                found.setdefault(name, one.at)
    if not scope.own("server_name"):
        found["*"] = server.at
    return found


def _bindable(written: str, directive: Directive, omissions: Omissions) -> list[str]:
    if written in _ANY or written == "*":
        return ["*"]
    if written.startswith("~"):
        message = f"server_name {written}: names are bound as they are, or with * for the first label"
        omissions.add(Weight.ROUTING, directive.at, message, 'write "*.example.com"')
        return []
    names = [written[1:], f"*{written}"] if written.startswith(".") else [written]
    bound = [values.domain(name) for name in names]
    if None in bound:
        message = f"server_name {written}: this is no name that can be bound"
        omissions.add(Weight.ROUTING, directive.at, message, "write each name out")
        return []
    if written.startswith(("*.", ".")):
        message = f"server_name {written}: * stands for one label in lb, for several in nginx"
        omissions.add(Weight.TUNING, directive.at, message)
    return [name for name in bound if name is not None]


def host_redirects(directive: Directive, scope: Scope, names: list[str]) -> dict[str, str | None] | None:
    """What an `if` with a redirect makes of names: another name, or None for HTTPS; None if it does something else."""
    returned = scope.own_one("return", "rewrite")
    condition = " ".join(directive.arguments).strip("() ").strip()
    target = _target(returned, scope) if returned is not None else None
    if target is None or any(one is not returned for one in scope.directives):
        return None
    scheme, _, rest = target.partition("://")
    if not rest.endswith("{path}"):
        return None
    other = rest.removesuffix("{path}")
    if condition in _PLAIN_HTTP:
        return dict.fromkeys(names) if scheme == "https" and other in ("{host}", "{hostport}", *names) else None
    found = re.fullmatch(r"\$(?:http_)?host (!?=) (\S+)", condition)
    if found is None:
        return None
    hit = [name for name in names if (name == found[2]) == (found[1] == "=")]
    if other in ("{host}", "{hostport}", found[2]) and found[1] == "=":
        return dict.fromkeys(hit) if scheme == "https" else None
    return dict.fromkeys((name for name in hit if name != "*"), other) if values.domain(other) else None


def _target(returned: Directive, scope: Scope) -> str | None:
    if returned.name == "rewrite":
        expression, replacement = (*returned.arguments, "", "")[:2]
        if expression not in ("^", "^(.*)$", "^(.*)", "^/(.*)$", "^/(.*)", "(.*)"):
            return None
        capture = "{path}" if not expression.startswith("^/") else "{rest}"
        text = replacement.replace("/$1", "$1") if capture == "{rest}" else replacement
        return location_template(text, scope, {"1": "{path}"})
    return location_template(returned.arguments[-1], scope, {}) if returned.arguments else None
