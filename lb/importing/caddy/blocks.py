"""The block of a site → rules: Caddy's chain of handlers, flattened to routes of which the first that matches is taken.

In Caddy, directives run in a fixed order (in `route` as written): some change a request and let it go on, one answers.
A route of lb is an answer with all that was changed on the way to it. Where a change is for some of the requests of an
answer only, a route of its own for these comes first.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from lb.importing.caddy.answers import AnswerMaker, Made
from lb.importing.caddy.changes import ChangeMaker
from lb.importing.caddy.matchers import Match, Matchers, UnknownMatcherError, covers, joined, product
from lb.importing.caddy.syntax import CaddyLine
from lb.importing.draft import Rule, Said, Settings, copied, merge
from lb.importing.omissions import Omissions, Weight

_ORDER = (
    *("tracing", "map", "vars", "fs", "root", "log_append", "log_skip", "skip_log", "log_name", "header"),
    *("copy_response_headers", "request_body", "redir", "method", "rewrite", "uri", "try_files", "basic_auth"),
    *(
        "basicauth",
        "authorize",
        "jwtauth",
        "forward_auth",
        "request_header",
        "encode",
        "push",
        "intercept",
        "templates",
    ),
    *("invoke", "handle", "handle_path", "route", "abort", "error", "respond", "metrics", "reverse_proxy"),
    *("php_fastcgi", "file_server", "acme_server"),
)
_BLOCKS = ("handle", "handle_path", "route")
_OF_SITE = frozenset(("header", "request_body", "request_header"))
_MOST_PARTS = 60


@dataclass(slots=True)
class _Change:
    """Settings for some of the requests of the answers that follow."""

    match: Match
    settings: Settings


@dataclass(frozen=True, slots=True)
class Found:
    """A rule, and the hosts that it is for (none: all of the site)."""

    rule: Rule
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the reader is: what all requests here match, the matchers that are known, what was changed before."""

    match: Match
    matchers: Matchers
    changes: tuple[_Change, ...] = ()
    captures: dict[str, str] = field(default_factory=dict)
    ordered: bool = True
    is_site: bool = False


class BlockReader:
    """Reads the block of one site; what holds for the whole site goes into its settings."""

    def __init__(self, answers: AnswerMaker, changes: ChangeMaker, omissions: Omissions, settings: Settings) -> None:
        self._answers = answers
        self._changes = changes
        self._omissions = omissions
        self._settings = settings

    def read(self, lines: tuple[CaddyLine, ...]) -> list[Found]:
        return self._block(lines, _Frame(Match(), Matchers(lines), is_site=True))

    def _block(self, lines: tuple[CaddyLine, ...], frame: _Frame) -> list[Found]:
        found: list[Found] = []
        changes = list(frame.changes)
        for line in self._sorted(lines, frame):
            try:
                matches, arguments = frame.matchers.split(line)
            except UnknownMatcherError as error:
                changes += self._unknown(line, str(error), frame)
                continue
            here = replace(frame, changes=tuple(changes))
            parts = product([frame.match], matches)
            for one in dict.fromkeys(match.differs for match in matches if match.differs):
                weight = Weight.ACCESS if self._changes.is_guard(line) else Weight.TUNING
                self._omissions.add(weight, line.at, f"{line.written()}: {one}")
            if self._answers.refuses(line) and all(one.allow or one.deny for one in matches):
                changes += [_Change(*_kept_out(one, line)) for one in parts]
            elif line.name in _BLOCKS:
                found += self._inner(line, parts, here)
            elif self._changes.knows(line):
                changes += self._changed(line, parts, arguments, frame)
            else:
                for match in parts:
                    found += self._answered(line, match, arguments, here)
        return found

    @staticmethod
    def _sorted(lines: tuple[CaddyLine, ...], frame: _Frame) -> list[CaddyLine]:
        kept = [line for line in lines if not line.name.startswith("@")]
        if not frame.ordered:
            return kept

        def rank(line: CaddyLine) -> tuple[int, bool, int]:
            name = "handle" if line.name == "handle_path" else line.name
            order = _ORDER.index(name) if name in _ORDER else len(_ORDER)
            first = line.rest[0] if line.rest else ""
            is_plain = not first.startswith(("/", "@"))
            return order, is_plain, -len(first) if first.startswith("/") else 0

        return sorted(kept, key=rank)

    def _unknown(self, line: CaddyLine, reason: str, frame: _Frame) -> list[_Change]:
        """A directive whose matcher has no counterpart: what guards closes everything here."""
        guards = self._changes.is_guard(line) or self._answers.refuses(line)
        weight = Weight.ACCESS if guards else Weight.ROUTING
        hint = "write a route for the requests that are meant"
        closes = self._changes.is_guard(line)
        if closes:
            hint = "everything here is closed until the guard has a route"
        self._omissions.add(weight, line.at, f"{line.written()}: {reason} has no counterpart", hint)
        closed = Said(value=True, at=(line.at,), note="closed: its guard has no counterpart")
        return [_Change(frame.match, {"deny": closed})] if closes else []

    def _inner(self, line: CaddyLine, parts: list[Match], frame: _Frame) -> list[Found]:
        found: list[Found] = []
        for match in parts:
            changes = list(frame.changes)
            captures = dict(frame.captures)
            if line.name == "handle_path":
                strip = match.condition.path.rstrip("/")
                changes.append(_Change(match, {"strip": Said(strip, (line.at,))}))
                captures |= {"uri": "/{rest}", "path": "/{rest}", "http.request.uri": "/{rest}"}
            inner = _Frame(
                match,
                Matchers(line.block or (), frame.matchers),
                tuple(changes),
                captures | dict(match.captures),
                ordered=line.name != "route",
                is_site=frame.is_site and line.name == "route" and match == Match(),
            )
            found += self._block(line.block or (), inner)
        return found

    def _changed(self, line: CaddyLine, parts: list[Match], arguments: tuple[str, ...], frame: _Frame) -> list[_Change]:
        found: list[_Change] = []
        for match in parts:
            settings = self._changes.settings(line, arguments, {**frame.captures, **dict(match.captures)})
            if frame.is_site and line.name in _OF_SITE and match == Match():
                merge(self._settings, settings)
            elif settings:
                found.append(_Change(match, settings))
        return found

    def _answered(self, line: CaddyLine, match: Match, arguments: tuple[str, ...], frame: _Frame) -> list[Found]:
        captures = {**frame.captures, **dict(match.captures)}
        made = self._answers.answer(line, arguments, captures)
        if made is None:
            return []
        found: list[Found] = []
        for part in _parts(match, frame.changes):
            settings = copied(made.settings)
            for change in sorted(frame.changes, key=_is_open):
                if covers(change.match.condition, part.condition) and not set(change.match.hosts) - set(part.hosts):
                    merge(settings, _with_networks(change, settings))
            rule = self._answers.finished(made, part.condition, settings, line)
            self._networks(rule, part, made, line)
            found.append(Found(rule, part.hosts))
        return found

    def _networks(self, rule: Rule, match: Match, made: Made, line: CaddyLine) -> None:
        """A matcher of clients' addresses: lb's guards refuse the others, whoever would answer them in Caddy."""
        if not match.allow and not match.deny:
            return
        for key, networks in (("allow", match.allow), ("deny", match.deny)):
            if networks and not made.refuses:
                rule.settings[key] = Said(networks, (line.at,))
        message = f"{line.written()}: all other clients get 403 here, whatever follows for them"
        self._omissions.add(Weight.ACCESS, line.at, message)


def _kept_out(match: Match, line: CaddyLine) -> tuple[Match, Settings]:
    """A refusal for some clients' addresses: a guard of whatever answers the others."""
    settings: Settings = {}
    for key, networks in (("allow", match.deny), ("deny", match.allow)):
        if networks:
            settings[key] = Said(networks, (line.at,))
    return replace(match, allow=(), deny=()), settings


def _is_open(change: _Change) -> bool:
    """Whether a change closes nothing; what closes comes first, since what is said first stays."""
    deny = change.settings.get("deny")
    return deny is None or deny.value is not True


def _with_networks(change: _Change, settings: Settings) -> Settings:
    more = dict(change.settings)
    for key, networks in (("allow", change.match.allow), ("deny", change.match.deny)):
        if networks and key not in settings:
            more[key] = Said(networks)
    return more


def _parts(match: Match, changes: tuple[_Change, ...]) -> list[Match]:
    """The requests of an answer, cut where changes are for some of them only: the narrowest parts first."""
    parts = {match.condition: match}
    for change in changes:
        for one in list(parts.values()):
            both = joined(one, change.match)
            if both is not None and both.condition not in parts and len(parts) < _MOST_PARTS:
                parts[both.condition] = replace(both, allow=match.allow, deny=match.deny, differs="")
    return sorted(parts.values(), key=_narrowness, reverse=True)


def _narrowness(match: Match) -> tuple[int, int, int]:
    condition = match.condition
    more = len(condition.methods) + len(condition.headers) + len(condition.queries)
    return len(condition.path.split("/")), len(condition.path), more
