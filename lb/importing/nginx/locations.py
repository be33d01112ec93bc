"""The locations of a server → rules, in the order in which lb has to try them.

nginx takes an exact location first, then the longest prefix if it is marked `^~`, then the first expression that
matches, then the longest prefix. lb takes the first route that matches, and its prefixes end at a slash.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lb.http.path_pattern import PathPattern, parse_pattern
from lb.importing.draft import Draft, DraftCondition, Rule, Settings, Site, put
from lb.importing.nginx.answers import AnswerReader, LocationAnswer, Spot
from lb.importing.nginx.fields import FieldReader
from lb.importing.nginx.guards import GUARDS, GuardReader
from lb.importing.nginx.limits import LimitReader
from lb.importing.nginx.pages import PageReader
from lb.importing.nginx.scope import Scope
from lb.importing.nginx.syntax import Directive
from lb.importing.nginx.upstreams import PASSES, Upstreams
from lb.importing.omissions import Omissions, Weight
from lb.importing.regular_paths import regular_paths

_ACME = "/.well-known/acme-challenge"
_OF_PROXYING = frozenset(("proxy_set_header", "proxy_hide_header", "proxy_buffering", "proxy_redirect"))
_FILE = re.compile(r"/[^/]*\.[A-Za-z0-9]{1,8}$")


@dataclass(frozen=True, slots=True)
class Readers:
    """What reads the parts of a block."""

    draft: Draft
    omissions: Omissions
    upstreams: Upstreams
    fields: FieldReader
    guards: GuardReader
    limits: LimitReader


@dataclass(frozen=True, slots=True)
class _Location:
    modifier: str
    path: str
    scope: Scope
    directive: Directive


class LocationReader:
    """Reads the locations of one server into the rules of its site."""

    def __init__(self, readers: Readers, server: Scope, site: Site) -> None:
        self._readers = readers
        self._omissions = readers.omissions
        self._server = server
        self._site = site
        self._locations = list(_flat(server))
        self._answers = AnswerReader(readers.upstreams, readers.omissions, self._scope_of)
        self._inner = {one.first() for one in server.own("auth_request")} | {
            argument for one in _everywhere(server, "error_page", "auth_request") for argument in one.arguments
        }
        self.pages = PageReader(readers.omissions, self.find)

    def rules(self) -> list[Rule]:
        """The rules in order. The last one is for every path, if the server has an answer for every path."""
        if (whole := self._server.own_one("return")) is not None:
            answer = self._answers.returned(whole, self._server, {})
            return [self._rule("/", whole, answer)] if answer is not None else []
        found = self._redirects(self._server)
        exact, marked, regular, rest = _kinds(self._locations)
        spots = {id(one): self._spots(one) for one in self._locations}
        patterns = [(one, parse_pattern(spot.path)) for one in regular for spot in spots[id(one)]]
        early = [one for one in rest if any(_is_before(one, expression, path) for expression, path in patterns)]
        for one in (*exact, *marked, *early, *regular, *(one for one in rest if one not in early)):
            found += self._redirects(one.scope)
            found += self._of_location(one, spots[id(one)])
        if not any(one.modifier in ("", "^~") and one.path == "/" for one in self._locations):
            found += self._of_server()
        return found

    def find(self, path: str) -> Scope | None:
        """The block that answers for a path, as nginx chooses it."""
        longest: _Location | None = None
        for one in self._locations:
            if one.modifier == "=" and one.path == path:
                return one.scope
            is_prefix = one.modifier in ("", "^~") and path.startswith(one.path)
            if is_prefix and (longest is None or len(one.path) > len(longest.path)):
                longest = one
        if longest is None or longest.modifier != "^~":
            for one in self._locations:
                if one.modifier in ("~", "~*") and _matches(one, path):
                    return one.scope
        return longest.scope if longest is not None else None

    def _scope_of(self, name: str) -> Scope | None:
        if not name.startswith("@"):
            return self.find(name)
        return next((one.scope for one in self._locations if one.path == name), None)

    def _redirects(self, scope: Scope) -> list[Rule]:
        found: list[Rule] = []
        for one in scope.own("rewrite"):
            for path, answer in self._answers.rewritten(one, scope) or ():
                found.append(Rule(DraftCondition(path), one.at, None, answer.settings))
            if scope is self._server and self._is_inner_rewrite(one):
                message = f"{one.written()}: it changes which location answers"
                self._omissions.add(Weight.ROUTING, one.at, message, "write a route with rewrite")
        return found

    @staticmethod
    def _is_inner_rewrite(directive: Directive) -> bool:
        target = directive.arguments[1] if len(directive.arguments) > 1 else ""
        return directive.arguments[2:3] in ((), ("last",), ("break",)) and not target.startswith(("http", "$scheme"))

    def _of_location(self, one: _Location, spots: list[Spot]) -> list[Rule]:
        if _is_acme(one):
            self._challenges(one)
            return []
        if one.scope.own("internal"):
            self._internal(one)
            return []
        if one.scope.own("stub_status"):
            hint = "write admin: 127.0.0.1:9180; it has /status and /metrics"
            self._omissions.add(Weight.TUNING, one.directive.at, f"{one.directive.written()}: stub_status", hint)
            return []
        return [rule for spot in spots if (rule := self._at(one, spot)) is not None]

    def _at(self, one: _Location, spot: Spot) -> Rule | None:
        guards: Settings = {}
        is_guarded = self._readers.guards.read(one.scope, self._server, guards)
        if guards.get("deny") is not None and guards["deny"].value is True:
            return Rule(DraftCondition(spot.path), one.directive.at, None, guards, guards["deny"].note)
        answer = self._answers.answer(one.scope, spot)
        if answer is None:
            if not is_guarded:
                return None
            hint = "write the route, with its guard, and open it then"
            message = f"{one.directive.written()}: nothing answers there, so it is closed"
            self._omissions.add(Weight.ACCESS, one.directive.at, message, hint)
            answer, guards = LocationAnswer(), {}
            put(answer.settings, ("deny",), True, one.directive.at, note="closed: nothing answers here yet")
        answer.settings |= guards
        if "redirect" not in answer.settings and "deny" not in answer.settings.keys() - guards.keys():
            self._details(one, answer)
        return self._rule(spot.path, one.directive, answer)

    def _details(self, one: _Location, answer: LocationAnswer) -> None:
        scope = one.scope
        self._readers.fields.read(scope, answer.settings, inherited=False, files=answer.is_files)
        self._readers.fields.tell_of_server(scope, self._site.settings)
        self._readers.limits.of_location(scope, answer.settings, self._readers.draft.top)
        if scope.own("error_page"):
            self.pages.read(scope.own("error_page"), answer.settings, scope)

    def _of_server(self) -> list[Rule]:
        """What answers for paths that no location is for: the files of the server's root."""
        if self._server.one("root") is None:
            return []
        location = _Location("", "/", self._server, self._server.all("root")[-1])
        rule = self._at(location, Spot("/", "/", {}))
        return [rule] if rule is not None else []

    def _spots(self, one: _Location) -> list[Spot]:
        if one.path.startswith("@") or one.scope.own("internal") or _is_acme(one):
            return []
        if one.modifier in ("~", "~*"):
            return self._regular(one)
        path = one.path
        if one.modifier == "=":
            if path.endswith("/"):
                message = f"{one.directive.written()}: a path of lb that ends in a slash is a prefix"
                self._omissions.add(_weight(one), one.directive.at, message, "let the app answer, or redirect")
                return []
            return [Spot(path, path, {})]
        if path.endswith("/") or _FILE.search(path):
            return [Spot(path, path, {})]
        message = f"{one.directive.written()}: lb takes {path} and {path}/…, nginx also other paths that begin so"
        weight = Weight.ACCESS if _refuses(one) else Weight.TUNING
        self._omissions.add(weight, one.directive.at, message, "write a route for each of them that there is")
        return [Spot(path, f"{path}/", {})]

    def _regular(self, one: _Location) -> list[Spot]:
        paths = regular_paths(one.path)
        written = one.directive.written()
        if paths is None:
            self._omissions.add(
                _weight(one), one.directive.at, f"{written}: lb has no path that says this", _advice(one)
            )
            return []
        at = one.directive.at
        broader = [path.path for path in paths if path.broader]
        if broader:
            message = f"{written}: {', '.join(broader)} in lb matches more than that"
            hint = "put routes for what it should not match before it"
            self._omissions.add(Weight.ACCESS if _opens(one) else Weight.ROUTING, at, message, hint)
        if narrower := [path.path for path in paths if path.narrower]:
            message = f"{written}: {', '.join(narrower)} in lb ends at a slash, and matches less"
            self._omissions.add(Weight.ACCESS if _refuses(one) else Weight.TUNING, at, message)
        if one.modifier == "~*":
            message = f"{written}: in paths of lb, small and capital letters differ"
            self._omissions.add(Weight.ACCESS if _refuses(one) else Weight.TUNING, at, message)
        return [Spot(path.path, path.path, path.captures) for path in paths if "/./" not in path.path]

    def _challenges(self, one: _Location) -> None:
        """Lb itself answers the challenges of certificate authorities, from its store or from this directory."""
        answer = self._answers.answer(one.scope, Spot(f"{_ACME}/", f"{_ACME}/", {})) if _has_files(one.scope) else None
        if answer is not None and answer.is_files and self._readers.draft.https:
            self._readers.draft.top.setdefault("tls", {})["challenges"] = answer.settings["files"]

    def _internal(self, one: _Location) -> None:
        used = any(re.search(one.path, uri) if "~" in one.modifier else uri.startswith(one.path) for uri in self._inner)
        if not used:
            message = f"{one.directive.written()}: lb does not follow X-Accel-Redirect"
            hint = "let the app send the files, or sign the links to a storage that does"
            self._omissions.add(Weight.ROUTING, one.directive.at, message, hint)

    @staticmethod
    def _rule(path: str, directive: Directive, answer: LocationAnswer) -> Rule:
        return Rule(DraftCondition(path), directive.at, answer.backend, answer.settings, answer.note)


def _flat(scope: Scope) -> list[_Location]:
    """All locations, those within others included."""
    found: list[_Location] = []
    for one in scope.own("location"):
        modifier, path = one.arguments if len(one.arguments) == 2 else ("", one.first())
        if len(one.arguments) == 1 and (joined := re.fullmatch(r"(=|\^~|~\*?)(.+)", path)) is not None:
            modifier, path = joined[1], joined[2]
        inner = scope.inner(one)
        nested = _flat(inner)
        is_frame = bool(nested) and all(
            part.name in ("location", "internal", *_OF_PROXYING) for part in one.block or ()
        )
        found += nested
        if not is_frame:
            found.append(_Location(modifier, path, inner, one))
    return found


def _kinds(locations: list[_Location]) -> tuple[list[_Location], ...]:
    """Exact ones, marked prefixes and what is below them, expressions, other prefixes: as nginx chooses."""
    exact = [one for one in locations if one.modifier == "="]
    regular = [one for one in locations if one.modifier in ("~", "~*")]
    prefixes = [one for one in locations if one.modifier in ("", "^~")]
    marked = [one.path for one in prefixes if one.modifier == "^~"]
    first = [one for one in prefixes if any(one.path.startswith(path) for path in marked)]
    rest = [one for one in prefixes if one not in first]
    return exact, sorted(first, key=_by_length), regular, sorted(rest, key=_by_length)


def _is_before(one: _Location, expression: _Location, path: PathPattern) -> bool:
    """Whether a prefix is taken by the path of an expression, which would not match it in nginx."""
    if _matches(expression, one.path) or one.path.startswith("@"):
        return False
    return path.covers(parse_pattern(one.path if one.path.endswith("/") else f"{one.path}/"))


def _is_acme(one: _Location) -> bool:
    return one.path.rstrip("/").startswith(_ACME) or (one.path == "/.well-known/" and not one.scope.own(*PASSES))


def _refuses(one: _Location) -> bool:
    """Whether a location keeps anybody out: then no path may be left out."""
    returned = one.scope.own_one("return")
    return bool(one.scope.all(*GUARDS)) or (returned is not None and returned.first().startswith("4"))


def _opens(one: _Location) -> bool:
    """Whether it lets somebody in whom the server keeps out: then no path may be added."""
    return bool(one.scope.own("satisfy")) or any(guard.first() in ("off", "all") for guard in one.scope.own(*GUARDS))


def _by_length(one: _Location) -> int:
    return -len(one.path)


def _matches(one: _Location, path: str) -> bool:
    try:
        return re.search(one.path, path, re.IGNORECASE if one.modifier == "~*" else 0) is not None
    except re.error:
        return False


def _everywhere(scope: Scope, *names: str) -> list[Directive]:
    """The directives of these names in the block and in all blocks within."""
    found = scope.own(*names)
    for one in scope.directives:
        if one.block is not None:
            found += _everywhere(scope.inner(one), *names)
    return found


def _has_files(scope: Scope) -> bool:
    return scope.one("root") is not None or scope.own_one("alias") is not None


def _weight(one: _Location) -> Weight:
    """How heavy it is that a location has no route."""
    if _refuses(one):
        return Weight.ACCESS
    if one.scope.own(*PASSES, "return", "try_files", "alias", "root", "rewrite"):
        return Weight.ROUTING
    return Weight.BEHAVIOUR


def _advice(one: _Location) -> str:
    match _weight(one):
        case Weight.ACCESS:
            return "the app gets these requests now: let it refuse them, or write a route for each path"
        case Weight.ROUTING:
            return "write a route for each path or directory that is meant"
    return "write it into the route of the directory that has these files"
