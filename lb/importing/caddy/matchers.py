"""Caddy's matchers → conditions of routes.

A matcher is a list of alternatives. What a condition of lb cannot say makes a matcher unknown, and its directive is
left out, or closed if it guards something.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from lb.http.path_pattern import PathPattern, PatternError, parse_pattern
from lb.importing import values
from lb.importing.caddy.syntax import CaddyLine
from lb.importing.draft import DraftCondition
from lb.importing.regular_paths import regular_paths

_PRIVATE = ("192.168.0.0/16", "172.16.0.0/12", "10.0.0.0/8", "127.0.0.0/8", "fd00::/8", "::1/128")


@dataclass(frozen=True, slots=True)
class Match:
    """One alternative: hosts (none: all), a condition, and the networks that clients are in, or are not in."""

    condition: DraftCondition = field(default_factory=DraftCondition)
    hosts: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    captures: tuple[tuple[str, str], ...] = ()
    differs: str = ""  # how the path matches more or less than in Caddy


class UnknownMatcherError(Exception):
    """A matcher that lb has no counterpart for: the argument says which."""


def path_matches(path: str) -> list[Match]:
    """The alternatives of a path such as /api/* or /old. Raises UnknownMatcherError."""
    if path in ("*", "/*"):
        return [Match()]
    differs = ""
    if path == "/":
        raise UnknownMatcherError("/ alone: a path of lb that ends in a slash is a prefix")
    plain = path.removesuffix("*")
    if plain != path and not plain.endswith("/"):
        differs = f"{path}: lb takes {plain} and {plain}/…, Caddy also other paths that begin so"
        plain += "/"
    elif plain == path and plain.endswith("/"):
        differs = f"{path}: lb takes what is below it, too"
    parts = plain.split("/")
    for number, part in enumerate(parts):
        if part == "*":
            parts[number] = f"{{p{number}}}"
    plain = "/".join(parts)
    if "*" in plain:
        raise UnknownMatcherError(f"the path {path}")
    try:
        parse_pattern(values.without_variables(plain))
    except PatternError:
        raise UnknownMatcherError(f"the path {path}") from None
    return [Match(DraftCondition(plain), differs=differs)]


class Matchers:
    """The named matchers of a site."""

    def __init__(self, lines: tuple[CaddyLine, ...] | list[CaddyLine], outer: Matchers | None = None) -> None:
        self._named = {line.name: line for line in lines if line.name.startswith("@")}
        self._outer = outer

    def split(self, line: CaddyLine) -> tuple[list[Match], tuple[str, ...]]:
        """The alternatives of a directive's matcher, and the words after it. Raises UnknownMatcherError."""
        if line.rest and line.rest[0] == "*":
            return [Match()], line.rest[1:]
        if line.rest and line.rest[0].startswith("/"):
            return path_matches(line.rest[0]), line.rest[1:]
        if line.rest and line.rest[0].startswith("@"):
            return self._by_name(line.rest[0]), line.rest[1:]
        return [Match()], line.rest

    def _by_name(self, name: str) -> list[Match]:
        if name in self._named:
            return self._of_definition(self._named[name])
        if self._outer is not None:
            return self._outer._by_name(name)  # noqa: SLF001  another one of its kind
        raise UnknownMatcherError(f"{name} is not defined")

    def _of_definition(self, line: CaddyLine) -> list[Match]:
        lines = line.block if line.block is not None else (CaddyLine(line.rest, line.at),)
        found = [Match()]
        joined: dict[str, tuple[str, ...]] = {}
        for one in lines:
            if one.name in ("path", "host", "method", "remote_ip", "client_ip"):  # lines of one name are alternatives
                joined[one.name] = (*joined.get(one.name, ()), *one.rest)
            else:
                found = product(found, self._one(one))
        for name, arguments in joined.items():
            found = product(found, self._one(CaddyLine((name, *arguments), line.at)))
        return found

    def _one(self, line: CaddyLine) -> list[Match]:
        arguments = line.rest
        match line.name:
            case "path":
                return [one for path in arguments for one in path_matches(path)]
            case "host":
                return [Match(hosts=arguments)]
            case "method":
                return [Match(DraftCondition(methods=tuple(one.upper() for one in arguments)))]
            case "header" if (field := _field(arguments)) is not None:
                return [Match(DraftCondition(headers=(field,)))]
            case "query":
                return [Match(DraftCondition(queries=(_pair(one),))) for one in arguments]
            case "remote_ip" | "client_ip":
                return [Match(allow=_networks(arguments))]
            case "path_regexp":
                return _regular(arguments)
            case "not":
                return self._inverted(line)
            case _:
                raise UnknownMatcherError(line.written())

    def _inverted(self, line: CaddyLine) -> list[Match]:
        inner = line.block if line.block is not None else (CaddyLine(line.rest, line.at),)
        if len(inner) == 1 and inner[0].name in ("remote_ip", "client_ip"):
            return [Match(deny=_networks(inner[0].rest))]
        raise UnknownMatcherError(f"not {' '.join(inner[0].words)}" if inner else "not")


def product(some: list[Match], others: list[Match]) -> list[Match]:
    """The alternatives that are both in one and in the other."""
    return [both for one in some for other in others if (both := joined(one, other)) is not None]


def joined(one: Match, other: Match) -> Match | None:
    """What matches both; None if nothing does, or if lb cannot say it."""
    condition = intersection(one.condition, other.condition)
    hosts = one.hosts or other.hosts
    if one.hosts and other.hosts:
        hosts = tuple(host for host in one.hosts if host in other.hosts)
        if not hosts:
            return None
    if condition is None:
        return None
    return Match(
        condition,
        hosts,
        (*one.allow, *other.allow),
        (*one.deny, *other.deny),
        (*one.captures, *other.captures),
        one.differs or other.differs,
    )


def intersection(one: DraftCondition, other: DraftCondition) -> DraftCondition | None:
    """The requests that fulfil both conditions; None if there are none, or if no condition says it."""
    first, second = _pattern(one.path), _pattern(other.path)
    if first.covers(second):
        path = other.path
    elif second.covers(first):
        path = one.path
    else:
        return None
    methods = one.methods or other.methods
    if one.methods and other.methods:
        methods = tuple(method for method in one.methods if method in other.methods)
        if not methods:
            return None
    headers, queries = dict(one.headers), dict(one.queries)
    for mine, theirs in ((headers, other.headers), (queries, other.queries)):
        for name, value in theirs:
            if mine.setdefault(name, value) != value:
                return None
    return DraftCondition(path, methods, tuple(headers.items()), tuple(queries.items()))


def covers(one: DraftCondition, other: DraftCondition) -> bool:
    """Whether every request that fulfils `other` fulfils `one`."""
    return intersection(one, other) == replace(other)


def _pattern(path: str) -> PathPattern:
    return parse_pattern(values.without_variables(path))


def _field(arguments: tuple[str, ...]) -> tuple[str, str] | None:
    name, value = (*arguments, "*")[:2] if arguments else ("!", "")
    plain = not name.startswith("!") and len(arguments) <= 2 and (value == "*" or "*" not in value)
    return (name, value) if plain else None


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value or "*"


def _networks(arguments: tuple[str, ...]) -> tuple[str, ...]:
    found: list[str] = []
    for one in arguments:
        if one == "private_ranges":
            found += _PRIVATE
            continue
        network = values.network(one)
        if network is None:
            raise UnknownMatcherError(f"{one} is no network")
        found.append(network)
    return tuple(found)


def networks(arguments: tuple[str, ...]) -> tuple[str, ...] | None:
    """Networks as Caddy has them; None if one of them is none."""
    try:
        return _networks(arguments)
    except UnknownMatcherError:
        return None


def _regular(arguments: tuple[str, ...]) -> list[Match]:
    name, expression = arguments if len(arguments) == 2 else ("", arguments[0] if arguments else "")
    paths = regular_paths(expression)
    if paths is None:
        raise UnknownMatcherError(f"path_regexp {expression}")
    found = []
    for one in paths:
        captures = tuple(
            (f"{prefix}{group}", text)
            for group, text in one.captures.items()
            for prefix in (f"re.{name}." if name else "re.", f"http.regexp.{name}." if name else "http.regexp.")
        )
        differs = f"path_regexp {expression}: {one.path} is not the same" if one.broader or one.narrower else ""
        found.append(Match(DraftCondition(one.path), captures=captures, differs=differs))
    return found
