"""A draft → the keys of a configuration: which apps there are, what serves them, and their routes.

A site becomes an app. Its last rule for every path names what serves the app; backends that other rules lead to become
apps without domains. This file knows what makes a configuration of lb valid; it knows no other language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lb.config.names import is_label, is_local, is_staging
from lb.http.path_pattern import PathPattern, PatternError, parse_pattern
from lb.importing import values
from lb.importing.draft import (
    Backend,
    Draft,
    DraftCondition,
    DraftDomain,
    Rule,
    Said,
    Settings,
    Site,
    copied,
    get,
    merge,
    put,
)
from lb.importing.omissions import Omissions, Weight

_OWN_OF_APP = ("limits", "timeouts", "buffering")  # those of the app that answers hold, unless the route has its own
_LIFTED = ("limits", "timeouts", "buffering")
_OF_TOP = ("trusted_proxies", "access_log", "limits", "timeouts")
_OF_ROUTE = (
    *("strip", "prefix", "rewrite", "redirect", "status", "files", "index", "fallback", "cache_control"),
    *("deny", "allow", "basic_auth", "forward_auth", "buffering", "limits", "timeouts", "headers", "cors", "errors"),
)
_PORT_80 = ":80"


def assemble(draft: Draft, omissions: Omissions) -> Settings:
    """The settings of the whole file, in the order in which they are written."""
    _without_refusals(draft)
    _place_redirects(draft)
    _without_unbound(draft, omissions)
    _without_loops(draft, omissions)
    apps = _Apps(draft, omissions)
    for site in draft.sites:
        apps.plan(site)
    tree: Settings = {"listen": _listen(draft)}
    top = dict(draft.top)
    if "proxy_protocol" in top.get("listen", {}):
        said = tree["listen"]["proxy_protocol"] = top["listen"]["proxy_protocol"]
        if "trusted_proxies" not in top:
            top["trusted_proxies"] = Said(("private",), said.at, "who may send PROXY headers is not said")
            message = "who may send PROXY headers is not said: private networks are assumed"
            omissions.add(Weight.ACCESS, said.at[0], message, "list the networks of the proxies in trusted_proxies")
    if draft.https or "tls" in top:
        tls = _tls(draft, omissions)
        tree |= {"tls": tls} if tls else {}
    tree |= {key: top[key] for key in _OF_TOP if key in top}
    tree["apps"] = apps.tree()
    return tree


def _listen(draft: Draft) -> Settings:
    listen: Settings = {}
    for key, addresses in (("http", draft.http), ("https", draft.https)):
        if addresses:
            listen[key] = [Said(address, at) for address, at in addresses.items()]
    return listen or {"http": Said(_PORT_80, (), "nothing says where to listen")}


def _tls(draft: Draft, omissions: Omissions) -> Settings:
    tls: Settings = draft.top.get("tls", {})
    if not draft.https or "certificates" in tls or "acme" in tls:
        return tls
    if all(not values.is_variable(one.name) and is_local(one.name) for site in draft.sites for one in site.domains):
        return tls  # lb signs for local names by itself
    at = next(iter(draft.https.values()))
    message = "HTTPS is served, and no certificate is named"
    hint = "put one into the store with lb certs import, or set tls.acme"
    omissions.add(Weight.ROUTING, at[0], message, hint)
    return {**tls, "store": Said("certs", (), "no certificate is named: put one there with lb certs import")}


def _without_refusals(draft: Draft) -> None:
    """Names that nobody bound get 404 anyhow: a wildcard that refuses everything need not be bound."""
    for site in list(draft.sites):
        refuses = len(site.rules) == 1 and site.rules[0].condition.is_everything and "deny" in site.rules[0].settings
        deny = site.rules[0].settings["deny"] if refuses else None
        if deny is not None and deny.value is True and "closed" not in deny.note:
            site.domains = [domain for domain in site.domains if not domain.name.startswith("*")]
        if not site.domains:
            draft.sites.remove(site)


def _place_redirects(draft: Draft) -> None:
    """Names that redirect to a name of another site stand with that one."""
    homes = {domain.name: site for site in draft.sites for domain in site.domains if "redirect" not in domain.settings}
    for site in list(draft.sites):
        for domain in list(site.domains):
            target = get(domain.settings, "redirect")
            home = homes.get(str(target.value)) if target is not None else None
            if home is not None and home is not site:
                site.domains.remove(domain)
                home.domains.append(domain)
        if not site.domains:
            draft.sites.remove(site)


def _without_unbound(draft: Draft, omissions: Omissions) -> None:
    """Names are bound once, and redirect to HTTPS only where it is served."""
    bound: dict[str, DraftDomain] = {}
    for site in list(draft.sites):
        for domain in list(site.domains):
            first = bound.setdefault(domain.name, domain)
            if first is not domain:
                site.domains.remove(domain)
                hint = "write the rules of both into one site, or give one of them another name"
                message = f"{domain.name} belongs to {first.at[0]} already: a name leads to one app, on every port"
                omissions.add(Weight.ROUTING, domain.at[0], message, hint)
            elif "force_https" in domain.settings and not draft.https:
                del domain.settings["force_https"]
                message = f"{domain.name} redirects to HTTPS, which is not served here"
                omissions.add(Weight.ROUTING, domain.at[0], message, "add listen.https, then force_https: true")
        if not site.domains:
            draft.sites.remove(site)


def _without_loops(draft: Draft, omissions: Omissions) -> None:
    """A server that asks another one of the same file would ask itself in lb, which has one set of listeners."""
    ports = {address.rpartition(":")[2] for address in (*draft.http, *draft.https)}
    for site in draft.sites:
        for rule in site.rules:
            instances = rule.backend.instances if rule.backend is not None else []
            if any(_is_here(str(one.value), ports) for one in instances):
                message = f"{instances[0].value} is an address of lb itself: requests would come back"
                hint = "write what is served there as a route of this app"
                omissions.add(Weight.ROUTING, rule.at, message, hint)
                rule.backend = None
                rule.settings = {"deny": Said(value=True, at=(rule.at,), note="closed: it would ask lb itself")}


def _is_here(instance: str, ports: set[str]) -> bool:
    host, _, port = instance.removeprefix("https://").rpartition(":")
    return port in ports and (host in ("localhost", "[::1]") or host.startswith("127."))


@dataclass(slots=True)
class _AppPlan:
    """One app to be: its site, or only what serves it, and which environments it needs."""

    site: Site | None
    main: Backend | None
    kinds: set[str] = field(default_factory=set)
    own: list[Settings] = field(default_factory=list)  # what the sites that lead here say of limits
    rules: list[Rule] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether all sites that lead here say the same: then it holds for the app itself."""
        return all(_bare(one) == _bare(self.own[0]) for one in self.own)


class _Apps:
    """The apps of a draft by name."""

    def __init__(self, draft: Draft, omissions: Omissions) -> None:
        self._draft = draft
        self._omissions = omissions
        self._plans: dict[str, _AppPlan] = {}
        self._names: dict[Backend, str] = {}

    def plan(self, site: Site) -> None:
        rules = self._reachable(site)
        main = next((rule for rule in reversed(rules) if rule.condition.is_everything), None)
        backends = list(dict.fromkeys(rule.backend for rule in rules if rule.backend is not None))
        backend = main.backend if main is not None else backends[0] if len(backends) == 1 else None
        plan = _AppPlan(site, backend)
        self._plans[self._free_name(site.name)] = plan
        plan.kinds = {_kind(domain.name) for domain in site.domains}
        if main is None:
            rules.append(_nothing_else(site, served=backend is not None))
        elif backend is None and not main.settings.keys() & {"files", "redirect"}:
            _unreached(main)
        else:
            _lift(main, rules, site)
        plan.rules = _needed(rules, backend)

    def tree(self) -> Settings:
        for plan in list(self._plans.values()):
            for rule in plan.rules:
                if rule.backend is not None and rule.backend is not plan.main:
                    self._lead_to(rule.backend, plan)
        return {name: self._app(plan) for name, plan in self._plans.items()}

    def _lead_to(self, backend: Backend, origin: _AppPlan) -> None:
        if backend not in self._names:
            self._names[backend] = self._free_name(backend.name)
            self._plans[self._names[backend]] = _AppPlan(None, backend)
        plan = self._plans[self._names[backend]]
        plan.kinds |= origin.kinds
        if origin.site is not None:
            plan.own.append({key: origin.site.settings[key] for key in _OWN_OF_APP if key in origin.site.settings})

    def _free_name(self, wanted: str) -> str:
        name = app_name(wanted)
        number = 2
        free = name
        while free in self._plans:
            free = f"{name}-{number}"
            number += 1
        return free

    def _app(self, plan: _AppPlan) -> Settings:
        app: Settings = {}
        site = plan.site
        if site is not None:
            app["domains"] = [_domain(domain) for domain in site.domains]
        if plan.main is not None:
            for kind in sorted(plan.kinds):
                app[kind] = _environment(plan.main, kind)
        if site is None and plan.agrees:
            app |= {key: copied(value) for key, value in plan.own[0].items()}
        if site is not None:
            app |= {key: copied(value) for key, value in site.settings.items()}
            if plan.rules:
                app["routes"] = [self._route(rule, plan, site) for rule in plan.rules]
        return app

    def _route(self, rule: Rule, plan: _AppPlan, site: Site) -> Said:
        condition = rule.condition
        route: Settings = {"path": Said(condition.path, (rule.at,), rule.note)}
        if condition.methods:
            route["method"] = Said(condition.methods)
        for key, wanted in (("header", condition.headers), ("query", condition.queries)):
            if wanted:
                route[key] = {name: Said(value) for name, value in wanted}
        settings = copied(rule.settings)
        if rule.backend is not None and rule.backend is not plan.main:
            route["app"] = Said(self._names[rule.backend], (rule.backend.at,) if rule.backend.at != rule.at else ())
            if not self._plans[self._names[rule.backend]].agrees:
                merge(settings, {key: site.settings[key] for key in _OWN_OF_APP if key in site.settings})
        route |= {key: settings[key] for key in _OF_ROUTE if key in settings}
        return Said(route)

    def _reachable(self, site: Site) -> list[Rule]:
        """The rules of a site whose path lb can have and that no earlier one hides."""
        kept: list[Rule] = []
        before: list[tuple[Rule, PathPattern]] = []
        for rule in site.rules:
            path = rule.condition.path
            try:
                pattern = _pattern(path)
            except PatternError as error:
                self._omissions.add(Weight.ROUTING, rule.at, f"the path {path} has no counterpart: {error.args[0]}")
                continue
            hiding = next((other for other, earlier in before if earlier.covers(pattern)), None)
            if hiding is None:
                kept.append(rule)
            elif hiding.condition != rule.condition:
                message = f"{path} would never match: {hiding.condition.path} ({hiding.at}) takes all of its requests"
                self._omissions.add(Weight.ROUTING, rule.at, message, "put its route before that one")
            if not rule.condition.has_more_than_path:
                before.append((rule, pattern))
        return kept


def app_name(wanted: str) -> str:
    """A name for an app that lb accepts, as near as possible to what is wanted."""
    name = re.sub(r"[^a-z0-9_-]+", "-", wanted.lower()).strip("-_")[:50].rstrip("-_")
    return name if is_label(name) and not is_staging(name) else f"app-{name}".rstrip("-")


def _bare(settings: Settings) -> object:
    """Settings without the lines that say them."""
    return {key: _bare(one) if isinstance(one, dict) else one.value for key, one in settings.items()}


def _kind(name: str) -> str:
    return "staging" if is_staging(name) else "production"


def _environment(backend: Backend, kind: str) -> Settings:
    environment: Settings = {"instances": list(backend.instances), **copied(backend.settings)}
    if kind == "staging":
        environment["noindex"] = Said(value=False)
    return environment


def _domain(domain: DraftDomain) -> Said:
    if not domain.settings:
        return Said(domain.name, domain.at)
    return Said({"name": Said(domain.name, domain.at), **domain.settings})


def _lift(main: Rule, rules: list[Rule], site: Site) -> None:
    """What the rule for every path says is the app's own, as far as no other rule goes to an app."""
    others = [rule for rule in rules if rule is not main]
    if main.backend is None or any(rule.backend is not None for rule in others):
        return
    own: Settings = {key: main.settings.pop(key) for key in _LIFTED if key in main.settings}
    headers: Settings = main.settings.get("headers", {})
    if others and "request" in headers:
        own["headers"] = {"request": headers.pop("request")}
        if not headers:
            del main.settings["headers"]
    elif not others:
        own |= {key: main.settings.pop(key) for key in ("headers", "cors", "errors") if key in main.settings}
    merge(own, site.settings)
    site.settings = own


def _nothing_else(site: Site, *, served: bool) -> Rule:
    """What answers the paths that no rule of the site is for; `served` says that the app has instances."""
    rule = Rule(DraftCondition(), site.at, note="nothing else is served")
    put(rule.settings, ("deny",), value=True)
    if not served:
        _unreached(rule)
    return rule


def _unreached(rule: Rule) -> None:
    """An app that has no instances needs a rule that answers without any."""
    rule.settings.setdefault("deny", Said(value=True))
    put(rule.settings, ("redirect",), "/", note="not reached; the app has no instances")


def _needed(rules: list[Rule], main: Backend | None) -> list[Rule]:
    """The rules without those that change nothing: they lead to what serves the app anyhow."""
    kept: list[Rule] = []
    for rule in reversed(rules):
        plain = rule.backend is not None and rule.backend is main and not rule.settings
        if not (plain and not any(_meet(rule, later) for later in kept)):
            kept.append(rule)
    return kept[::-1]


def _meet(rule: Rule, later: Rule) -> bool:
    if values.is_variable(rule.condition.path) or values.is_variable(later.condition.path):
        return True
    return _pattern(rule.condition.path).meets(_pattern(later.condition.path))


def _pattern(path: str) -> PathPattern:
    return parse_pattern(values.without_variables(path))
