"""Traefik's rules of routers → hosts and conditions.

`Host(`a`) && (PathPrefix(`/x`) || Method(`GET`))` is a tree; what comes out is a list of alternatives, each of which is
what a route of lb can say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lb.http.path_pattern import PatternError, parse_pattern
from lb.importing import values
from lb.importing.draft import DraftCondition
from lb.importing.regular_paths import regular_paths

_TOKEN = re.compile(r"\s*(?:(&&|\|\||[()!,])|([A-Za-z]+)|`([^`]*)`|\"((?:[^\"\\]|\\.)*)\"|'([^']*)')")
_MOST = 64
_FILE = re.compile(r"/[^/]*\.[A-Za-z0-9]{1,8}$")


class UnknownRuleError(Exception):
    """A rule that lb has no counterpart for: the argument says which part."""


@dataclass(frozen=True, slots=True)
class RouterMatch:
    """One alternative of a rule: hosts (none: all), a condition, the networks of clients; `differs` says where lb's
    path is not quite the same.
    """

    hosts: tuple[str, ...] = ()
    condition: DraftCondition = field(default_factory=DraftCondition)
    networks: tuple[str, ...] = ()
    differs: str = ""


def rule_matches(rule: str) -> list[RouterMatch]:
    """The alternatives of a rule. Raises UnknownRuleError."""
    reader = _Reader(rule)
    found = reader.any_of()
    if reader.token():
        raise UnknownRuleError(rule)
    return found


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                raise UnknownRuleError(text)
            at = found.end()
            kind = "mark" if found[1] else "name" if found[2] else "text"
            value = next(group for group in found.groups() if group is not None)
            self._tokens.append((kind, value))
        self._at = 0

    def token(self) -> tuple[str, str] | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def any_of(self) -> list[RouterMatch]:
        found = self._all_of()
        while self.token() == ("mark", "||"):
            self._at += 1
            found = [*found, *self._all_of()]
        if len(found) > _MOST:
            raise UnknownRuleError("so many alternatives")
        return found

    def _all_of(self) -> list[RouterMatch]:
        found = self._one()
        while self.token() == ("mark", "&&"):
            self._at += 1
            more = self._one()
            found = [both for one in found for other in more if (both := _joined(one, other)) is not None]
        return found

    def _one(self) -> list[RouterMatch]:
        token = self._next()
        if token == ("mark", "("):
            found = self.any_of()
            self._expect(")")
            return found
        if token == ("mark", "!"):
            inner = self._tokens[self._at][1] if self._at < len(self._tokens) else ""
            raise UnknownRuleError(f"!{inner}")
        if token[0] != "name":
            raise UnknownRuleError(token[1])
        return _of_matcher(token[1], self._arguments())

    def _arguments(self) -> list[str]:
        self._expect("(")
        found: list[str] = []
        while (token := self._next()) != ("mark", ")"):
            if token[0] == "text":
                found.append(token[1])
        return found

    def _next(self) -> tuple[str, str]:
        token = self.token()
        if token is None:
            raise UnknownRuleError("a rule without its end")
        self._at += 1
        return token

    def _expect(self, mark: str) -> None:
        token = self._next()
        if token != ("mark", mark):
            raise UnknownRuleError(token[1])


def _of_matcher(name: str, arguments: list[str]) -> list[RouterMatch]:
    match name:
        case "Host" | "HostHeader" | "HostSNI":
            return [RouterMatch(hosts=tuple(arguments))]
        case "PathPrefix":
            return [_prefix(one) for one in arguments]
        case "Path":
            return [_exact(one) for one in arguments]
        case "PathRegexp":
            return [one for text in arguments for one in _regular(text)]
        case "Method":
            return [RouterMatch(condition=DraftCondition(methods=tuple(one.upper() for one in arguments)))]
        case "Headers" | "Header" if len(arguments) == 2:
            return [RouterMatch(condition=DraftCondition(headers=((arguments[0], arguments[1]),)))]
        case "Query" if len(arguments) in (1, 2):
            key, _, value = "=".join(arguments).partition("=")
            return [RouterMatch(condition=DraftCondition(queries=((key, value or "*"),)))]
        case "ClientIP" if None not in map(values.network, arguments):
            return [RouterMatch(networks=tuple(str(values.network(one)) for one in arguments))]
        case "HostRegexp":
            return [RouterMatch(hosts=tuple(_wildcard(one) for one in arguments))]
    raise UnknownRuleError(f"{name}({', '.join(arguments)})")


def _prefix(path: str) -> RouterMatch:
    plain = path if path.endswith("/") or _FILE.search(path) else f"{path}/"
    differs = ""
    if not path.endswith("/"):
        differs = f"{path}: lb takes {path} and {path}/…, Traefik also other paths that begin so"
    return RouterMatch(condition=_condition(plain), differs=differs)


def _exact(path: str) -> RouterMatch:
    if path.endswith("/"):
        raise UnknownRuleError(f"Path({path}): a path of lb that ends in a slash is a prefix")
    return RouterMatch(condition=_condition(path))


def _condition(path: str) -> DraftCondition:
    try:
        parse_pattern(values.without_variables(path))
    except PatternError:
        raise UnknownRuleError(f"the path {path}") from None
    return DraftCondition(path)


def _regular(expression: str) -> list[RouterMatch]:
    paths = regular_paths(expression)
    if paths is None:
        raise UnknownRuleError(f"PathRegexp({expression})")
    return [
        RouterMatch(
            condition=DraftCondition(one.path),
            differs=f"{expression}: {one.path} is not quite the same" if one.broader or one.narrower else "",
        )
        for one in paths
    ]


def _wildcard(expression: str) -> str:
    """An expression for one label before a name is a wildcard."""
    found = re.fullmatch(r"\{\w*:?[^{}]*(?:\{[^}]*\})?\}\.([\w.-]+)", expression)
    if found is None:
        found = re.fullmatch(r"\^?(?:\[[^\]]+\]|\.|\\w)\+\\\.((?:[\w-]|\\\.)+)\$?", expression)
    if found is None:
        raise UnknownRuleError(f"HostRegexp({expression})")
    return "*." + found[1].replace("\\.", ".")


def _joined(one: RouterMatch, other: RouterMatch) -> RouterMatch | None:
    hosts = one.hosts or other.hosts
    if one.hosts and other.hosts:
        hosts = tuple(host for host in one.hosts if host in other.hosts)
    first, second = parse_pattern(_bare(one)), parse_pattern(_bare(other))
    if (one.hosts and other.hosts and not hosts) or not (first.covers(second) or second.covers(first)):
        return None
    path = other.condition.path if first.covers(second) else one.condition.path
    condition = DraftCondition(
        path,
        one.condition.methods or other.condition.methods,
        (*one.condition.headers, *other.condition.headers),
        (*one.condition.queries, *other.condition.queries),
    )
    return RouterMatch(hosts, condition, (*one.networks, *other.networks), one.differs or other.differs)


def _bare(one: RouterMatch) -> str:
    return values.without_variables(one.condition.path)
