"""Traefik's routers → sites: one for each host, its rules by priority."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lb.importing import values
from lb.importing.draft import Backend, Draft, DraftDomain, Rule, Settings, Site, copied, get, put
from lb.importing.omissions import Omissions, Weight
from lb.importing.source_line import SourceLine
from lb.importing.traefik.compose_file import ComposeService
from lb.importing.traefik.middlewares import MiddlewareReader
from lb.importing.traefik.rules import RouterMatch, UnknownRuleError, rule_matches
from lb.importing.traefik.services import ServiceReader
from lb.importing.traefik.settings_tree import Branch
from lb.importing.traefik.static import EntryPoint, StaticReader

_CATCH_ALL = "*"
_OF_REDIRECTS = ("redirect", "status", "allow", "basic_auth", "forward_auth", "headers")


@dataclass(slots=True)
class _Router:
    """One alternative of a router, at one host."""

    rule: Rule
    at: SourceLine
    priority: int
    tls: bool
    plain: bool
    to_https: bool
    points: frozenset[str]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routers of one file share."""

    draft: Draft
    omissions: Omissions
    middlewares: MiddlewareReader
    services: ServiceReader
    static: StaticReader


class RouterReader:
    """Reads routers into the sites of a draft."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._omissions = parts.omissions
        self._points = parts.static.entry_points()
        self._by_host: dict[str, list[_Router]] = {}
        self._with_tls: set[str] = set()  # entry points of routers with TLS
        self._forced: SourceLine | None = next((one.forces for one in self._points.values() if one.forces), None)

    def read(self, name: str, router: Branch, service: ComposeService | None) -> None:
        """One router; `service` is the container whose labels define it."""
        rule = router.get("rule")
        written = rule.value if rule is not None else ""
        if router.text("service").endswith("@internal"):
            hint = "write admin: 127.0.0.1:9180; it has /status and /metrics"
            self._omissions.add(Weight.TUNING, router.at, f"the router {name} leads to Traefik's own pages", hint)
            return
        if not written:
            message = f"the router {name} has no rule"
            self._omissions.add(Weight.ROUTING, router.at, message, "write a domain for the app")
            return
        at = rule.at if rule is not None else router.at
        try:
            matches = rule_matches(written)
        except UnknownRuleError as error:
            message = f"the router {name}: {error} has no counterpart"
            self._omissions.add(Weight.ROUTING, at, message, "write a route for the requests that are meant")
            return
        points = self._entry_points(router)
        backend = self._backend(name, router, service)
        for match in matches:
            self._match(router, match, (backend, at, len(written)), points)

    def finish(self) -> None:
        """The sites of all hosts; hosts with the same routers share one."""
        used: set[str] = {name for name, point in self._points.items() if point.forces is not None}
        shared: dict[tuple[object, ...], Site] = {}
        for host, routers in self._by_host.items():
            served, apart = self._served(routers)
            used |= {name for one in routers if one not in apart for name in one.points}
            domain = self._domain(host, routers)
            key = tuple((one.rule.condition, one.rule.backend, _bare(one.rule.settings)) for one in served)
            site = shared.get(key) if served else None
            if site is None:
                site = Site(_name(host, served), domain.at[0], [], [one.rule for one in served])
                client_from = next((one.forwarded for one in self._points.values() if one.forwarded), None)
                if client_from is not None:
                    put(site.settings, ("client_from",), "forwarded", client_from)
                shared[key] = site
                self._parts.draft.sites.append(site)
            site.domains.append(domain)
        for name, point in self._points.items():
            if name in used:
                self._parts.draft.listen(point.address, point.at, tls=self._is_tls(point))

    def _served(self, routers: list[_Router]) -> tuple[list[_Router], list[_Router]]:
        """What a host serves, by priority, and what it cannot serve beside that: another port decides about it."""
        real = [one for one in routers if not one.to_https] or routers
        found: list[_Router] = []
        apart: list[_Router] = []
        for one in sorted(real, key=lambda router: (-router.priority, not router.tls)):
            same = next((known for known in found if known.rule.condition == one.rule.condition), None)
            if same is None:
                found.append(one)
            elif same.rule.backend is not one.rule.backend or _bare(same.rule.settings) != _bare(one.rule.settings):
                message = f"the router of {same.at} has the same rule: a name leads to one app, on every port"
                self._omissions.add(Weight.ROUTING, one.at, message, "give one of the two another name or path")
                apart.append(one)
        return found, apart

    def _is_tls(self, point: EntryPoint) -> bool:
        only_plain = point.forces is not None or (point.address.endswith(":80") and not point.tls)
        return point.tls or (point.name in self._with_tls and not only_plain)

    def _entry_points(self, router: Branch) -> list[EntryPoint]:
        names = [(text.lower(), at) for text, at in router.items("entrypoints")]
        found: list[EntryPoint] = []
        for name, at in names:
            if name not in self._points:
                self._points[name] = self._parts.static.guessed(name, at)
            found.append(self._points[name])
        return found or list(self._points.values())

    def _backend(self, name: str, router: Branch, service: ComposeService | None) -> Backend | None:
        wanted = router.text("service")
        if service is None or "@file" in wanted:
            return self._parts.services.of_file(wanted or name, router)
        defined = service.labels.get("http.services")
        names = list(defined.below) if defined is not None else []
        chosen = wanted.partition("@")[0] or (names[0] if names else "")
        return self._parts.services.of_container(service, chosen)

    def _match(
        self, router: Branch, match: RouterMatch, of: tuple[Backend | None, SourceLine, int], points: list[EntryPoint]
    ) -> None:
        backend, at, length = of
        settings: Settings = {}
        names = [text for text, _ in router.items("middlewares")]
        to_https = self._parts.middlewares.read(names, router, settings, match.condition.path)
        only = settings.pop("only_host", None)
        if match.networks:
            put(settings, ("allow",), match.networks, at)
            message = "ClientIP: all other clients get 403 there, whatever other router is for them"
            self._omissions.add(Weight.ACCESS, at, message)
        if match.differs:
            guarded = settings.keys() & {"deny", "allow", "basic_auth", "forward_auth"}
            self._omissions.add(Weight.ACCESS if guarded else Weight.TUNING, at, match.differs)
        tls = router.is_on("tls") or any(point.tls for point in points)
        if tls:
            self._with_tls |= {point.name for point in points}
            self._certificate(router)
        plain = not tls and any(point.forces is None for point in points)
        for host in match.hosts or (_CATCH_ALL,):
            name = _CATCH_ALL if host == _CATCH_ALL else values.domain(host)
            if name is None:
                self._omissions.add(Weight.ROUTING, at, f"{host} is no name that can be bound")
                continue
            rule = _rule(match, at, backend, copied(settings), host if only is None or only.value == host else "")
            priority = router.text("priority")
            rank = int(priority) if priority.isdecimal() else length
            names_of_points = frozenset(point.name for point in points)
            one = _Router(rule, at, rank, tls, plain, to_https, names_of_points)
            self._add(name, one)

    def _add(self, host: str, router: _Router) -> None:
        """Variables of one name are one host, whatever they are without a value."""
        same = next((one for one in self._by_host if _without_defaults(one) == _without_defaults(host)), host)
        routers = self._by_host.pop(same, []) if ":-" in host else self._by_host.get(same, [])
        self._by_host[host if ":-" in host else same] = [*routers, router]

    def _certificate(self, router: Branch) -> None:
        resolver = router.get("tls.certresolver")
        if resolver is not None:
            self._parts.static.acme(resolver.value, resolver.at)

    def _domain(self, host: str, routers: list[_Router]) -> DraftDomain:
        at = tuple(dict.fromkeys(one.at for one in routers))
        domain = DraftDomain(host, at[:1])
        forced = next((one.at for one in routers if one.to_https), None)
        has_tls = any(one.tls for one in routers)
        if has_tls and host != _CATCH_ALL:
            plain = any(one.plain and not one.to_https for one in routers)
            forced = forced or self._forced
            if forced is not None and (not plain or any(one.to_https for one in routers)):
                put(domain.settings, ("force_https",), True, forced)
            elif not plain:
                put(domain.settings, ("force_https",), True, note="Traefik serves it over HTTPS only")
        return domain


def _rule(match: RouterMatch, at: SourceLine, backend: Backend | None, settings: Settings, host: str) -> Rule:
    deny = get(settings, "deny")
    if deny is not None and deny.value is True:
        return Rule(match.condition, at, None, {"deny": deny})
    if "redirect" in settings:
        if not host:  # a redirect of another name: the middleware lets this one through
            del settings["redirect"], settings["status"]
        else:
            settings = {key: one for key, one in settings.items() if key in _OF_REDIRECTS}
            return Rule(match.condition, at, None, settings)
    if backend is None:
        put(settings, ("deny",), True, at, note="closed: its service has no counterpart")
        return Rule(match.condition, at, None, {"deny": settings["deny"]})
    return Rule(match.condition, at, backend, settings)


def _without_defaults(host: str) -> str:
    return re.sub(r":-[^}]*\}", "}", host)


def _bare(settings: Settings) -> str:
    return repr({key: _bare(one) if isinstance(one, dict) else one.value for key, one in settings.items()})


def _name(host: str, served: list[_Router]) -> str:
    backend = next((one.rule.backend for one in reversed(served) if one.rule.condition.is_everything), None)
    if backend is not None:
        return backend.name
    return "site" if host == _CATCH_ALL or values.is_variable(host) else host.removeprefix("*.").partition(".")[0]
