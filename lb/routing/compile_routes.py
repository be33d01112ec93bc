"""From an app's settings to its routes: what holds for a domain, and for each path that has rules of its own.

Limits and time-outs are those of the app that answers, the narrowest that is set: the route's own, its environment's,
its app's, the file's (L7). Fields, CORS, error pages and guards are those of the app whose domain it is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from lb.config.field_settings import CorsSettings, FieldSettings, RequestFields, ResponseFields
from lb.config.guard_settings import BasicAuthSettings, ForwardAuthSettings
from lb.config.model import App, Domain, LimitSettings, Timeouts
from lb.config.own_settings import OwnLimits, OwnTimeouts
from lb.config.route_settings import RouteSettings
from lb.http.cors import Cors
from lb.http.field_rules import FieldRules
from lb.http.path_pattern import PathPattern, parse_pattern
from lb.http.template import PLACEHOLDERS, Template, parse_template
from lb.routing.auth_rules import BasicAuthRule, ForwardAuthRule
from lb.routing.choices import Choices
from lb.routing.compression import Compression
from lb.routing.condition import RequestCondition
from lb.routing.environment import Environment
from lb.routing.file_rule import FileRule
from lb.routing.networks import Networks
from lb.routing.rate_limit import RateLimit
from lb.routing.route import Route
from lb.routing.route_extras import PathChange, RedirectRule, RouteExtras

_ANY = "*"
_ROBOTS = ("X-Robots-Tag", "noindex")


@dataclass(frozen=True, slots=True)
class _Own:
    """Limits and time-outs of one part of the file, and that part's key."""

    key: str
    limits: OwnLimits
    timeouts: OwnTimeouts


@dataclass(frozen=True, slots=True)
class RouteCompiler:
    """Makes the routes of one configuration. `environments` are by app and name."""

    apps: Mapping[str, App]
    limits: LimitSettings
    timeouts: Timeouts
    environments: Mapping[tuple[str, str], Environment]
    compression: Compression | None

    def domain(self, app: str, domain: Domain, kind: str) -> Route:
        """The route of a domain of `app`, which leads to its environment `kind`.

        Raises OSError for an error page that cannot be read.
        """
        settings = self.apps[app]
        fields = _joined(settings.headers, FieldSettings(), hidden=self._is_hidden(app, kind))
        extras = RouteExtras(
            request_fields=_rules(fields.request, ()),
            response_fields=_rules(fields.response, ()),
            cors=_cors(settings.cors),
            error_pages=_pages(settings.errors),
            redirect=_domain_redirect(domain),
            hsts=domain.hsts.value.encode() if domain.hsts is not None else None,
        )
        route = self._route(domain, app, kind, extras, None)
        if settings.routes and domain.redirect is None:
            self._add_choices(route, app, domain, kind, extras)
        return route

    def _add_choices(self, route: Route, app: str, domain: Domain, kind: str, extras: RouteExtras) -> None:
        settings = self.apps[app].routes
        routes = [
            self._path_route(app, domain, kind, extras, one, f"apps.{app}.routes[{index}]")
            for index, one in enumerate(settings)
        ]
        patterns = [parse_pattern(one.path) for one in settings]
        choices = Choices(patterns, [_condition(one) for one in settings])
        for one in (route, *routes):  # the branches, too: guards are found that hold for another reading of the path
            one.choices = choices
            one.branches = tuple(routes)

    def _path_route(
        self, app: str, domain: Domain, kind: str, above: RouteExtras, settings: RouteSettings, key: str
    ) -> Route:
        pattern = parse_pattern(settings.path)
        names = (*pattern.names, "rest")
        fields = _joined(self.apps[app].headers, settings.headers, hidden=self._is_hidden(app, kind))
        extras = RouteExtras(
            pattern=pattern,
            allow=Networks(settings.allow) if settings.allow else None,
            deny=Networks(settings.deny) if settings.deny else None,
            basic_auth=_basic_auth(settings.basic_auth),
            forward_auth=_forward_auth(settings.forward_auth),
            redirect=_path_redirect(settings, names),
            files=self._files(settings, pattern, domain),
            path=_path_change(settings, names),
            request_fields=_rules(fields.request, names),
            response_fields=_rules(fields.response, names),
            cors=_cors(settings.cors) or above.cors,
            error_pages={**(above.error_pages or {}), **(_pages(settings.errors) or {})} or None,
            hsts=above.hsts,
        )
        return self._route(domain, settings.app or app, kind, extras, _Own(key, settings.limits, settings.timeouts))

    def _files(self, settings: RouteSettings, pattern: PathPattern, domain: Domain) -> FileRule | None:
        if settings.files is None:
            return None
        rule = FileRule(os.fsencode(settings.files.absolute()), pattern)
        rule.index = settings.index.encode() if settings.index is not None else None
        rule.fallback = settings.fallback.encode() if settings.fallback is not None else None
        rule.cache_control = (settings.cache_control or "").encode()
        rule.compression = self.compression if domain.compression else None
        return rule

    def _route(self, domain: Domain, app: str, kind: str, extras: RouteExtras, own: _Own | None) -> Route:
        """The route to an environment, with the limits that hold for it."""
        settings = self.apps[app]
        environment = settings.staging if kind == "staging" else settings.production
        layers = [_Own(f"apps.{app}", settings.limits, settings.timeouts)]
        if environment is not None:
            layers.append(_Own(f"apps.{app}.{kind}", environment.limits, environment.timeouts))
        if own is not None:
            layers.append(own)
        keys: dict[str, str] = {}
        route = Route(self.environments[app, kind], self._body_cap(layers, keys))
        self._set_timeouts(route, layers, keys)
        _set_pace(route, layers, keys)
        route.force_https = domain.force_https
        route.cdn = domain.cdn
        route.names_client = domain.client_from == "forwarded"
        route.proxied = route.cdn or route.names_client
        route.client_auth = domain.name.encode() if domain.client_ca is not None else None
        route.compression = self.compression if domain.compression else None
        if keys or replace(extras, pattern=None) != RouteExtras():
            route.extras = replace(extras, keys=keys)
        return route

    def _body_cap(self, layers: Sequence[_Own], keys: dict[str, str]) -> int:
        cap = self.limits.body
        for layer in layers:
            if layer.limits.body is not None:
                cap = layer.limits.body
                keys["limits.body"] = f"{layer.key}.limits.body"
        return cap

    def _set_timeouts(self, route: Route, layers: Sequence[_Own], keys: dict[str, str]) -> None:
        for name in ("connect", "response", "read"):
            seconds = getattr(self.timeouts, name)
            for layer in layers:
                own = getattr(layer.timeouts, name)
                if own is not None:
                    seconds = own
                    keys[f"timeouts.{name}"] = f"{layer.key}.timeouts.{name}"
            setattr(route, name, seconds)

    def _is_hidden(self, app: str, kind: str) -> bool:
        """Whether search engines are to leave it alone."""
        settings = self.apps[app]
        environment = settings.staging if kind == "staging" else settings.production
        wanted = environment.noindex if environment is not None else None
        return wanted if wanted is not None else kind == "staging"


def _set_pace(route: Route, layers: Sequence[_Own], keys: dict[str, str]) -> None:
    for layer in layers:
        rate = layer.limits.client_rate
        if rate is not None:
            key = keys["limits.client_rate"] = f"{layer.key}.limits.client_rate"
            route.pace = RateLimit(rate.seconds / rate.requests, layer.limits.client_burst or rate.requests)
            route.scope = int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big", signed=True)


def _condition(settings: RouteSettings) -> RequestCondition | None:
    if not settings.method and not settings.header and not settings.query:
        return None
    return RequestCondition(
        frozenset(method.encode() for method in settings.method),
        tuple((name.lower().encode(), _wanted(value)) for name, value in settings.header.items()),
        tuple((name.encode(), _wanted(value)) for name, value in settings.query.items()),
    )


def _wanted(value: str) -> bytes | None:
    return None if value == _ANY else value.encode()


def _basic_auth(settings: BasicAuthSettings | None) -> BasicAuthRule | None:
    if settings is None:
        return None
    realm = settings.realm.replace("\\", "\\\\").replace('"', '\\"')
    return BasicAuthRule(str(settings.file.absolute()), f'Basic realm="{realm}", charset="UTF-8"'.encode())


def _forward_auth(settings: ForwardAuthSettings | None) -> ForwardAuthRule | None:
    if settings is None:
        return None
    url = settings.url
    host = f"[{url.host}]" if ":" in url.host else url.host
    authority = host if url.port == 80 else f"{host}:{url.port}"
    names = tuple(name.encode() for name in settings.copy)
    return ForwardAuthRule(url.host, url.port, authority.encode(), url.target.encode(), names, settings.timeout)


def _domain_redirect(domain: Domain) -> RedirectRule | None:
    if domain.redirect is None:
        return None
    template = parse_template("{scheme}://" + domain.redirect + "{port}{path}", ("scheme", "port", "path"))
    return RedirectRule(template, keeps_query=True, status=None)


def _path_redirect(settings: RouteSettings, names: Sequence[str]) -> RedirectRule | None:
    if settings.redirect is None:
        return None
    template = parse_template(settings.redirect, (*PLACEHOLDERS, *names))
    return RedirectRule(template, keeps_query="?" not in settings.redirect, status=settings.status)


def _path_change(settings: RouteSettings, names: Sequence[str]) -> PathChange | None:
    if settings.strip is None and settings.prefix is None and settings.rewrite is None:
        return None
    rewrite = parse_template(settings.rewrite, (*PLACEHOLDERS, *names)) if settings.rewrite is not None else None
    return PathChange(_without_slash(settings.strip), rewrite, _without_slash(settings.prefix))


def _without_slash(path: str | None) -> bytes:
    return (path or "").rstrip("/").encode()


def _joined(app: FieldSettings, route: FieldSettings, *, hidden: bool) -> FieldSettings:
    """The rules of an app with those of a route on top."""
    request, response = app.request, app.response
    default = {_ROBOTS[0]: _ROBOTS[1]} if hidden else {}
    return FieldSettings(
        request=request.model_copy(
            update={
                "set": {**request.set, **route.request.set},
                "add": {**request.add, **route.request.add},
                "default": {**request.default, **route.request.default},
                "remove": (*request.remove, *route.request.remove),
            }
        ),
        response=response.model_copy(
            update={
                "set": {**response.set, **route.response.set},
                "add": {**response.add, **route.response.add},
                "default": {**default, **response.default, **route.response.default},
                "remove": (*response.remove, *route.response.remove),
            }
        ),
    )


def _rules(fields: RequestFields | ResponseFields, names: Sequence[str]) -> FieldRules | None:
    if not (fields.set or fields.add or fields.default or fields.remove):
        return None

    def templates(values: Mapping[str, str]) -> tuple[tuple[str, Template], ...]:
        return tuple((name, parse_template(text, (*PLACEHOLDERS, *names))) for name, text in values.items())

    return FieldRules(frozenset(fields.remove), templates(fields.set), templates(fields.add), templates(fields.default))


def _cors(settings: CorsSettings | None) -> Cors | None:
    if settings is None:
        return None
    wild = [origin.partition("://*") for origin in settings.origins if "://*." in origin]
    return Cors(
        any_origin=_ANY in settings.origins,
        origins=frozenset(origin.encode() for origin in settings.origins),
        suffixes=tuple((scheme.encode(), suffix.encode()) for scheme, _, suffix in wild),
        methods=tuple(method.encode() for method in settings.methods),
        headers=tuple(name.encode() for name in settings.headers) if settings.headers is not None else None,
        expose=tuple(name.encode() for name in settings.expose),
        credentials=settings.credentials,
        max_age=int(settings.max_age),
    )


def _pages(errors: Mapping[str, Path]) -> dict[int, bytes] | None:
    """The pages by status; one that is named itself wins over its class."""
    pages: dict[int, bytes] = {}
    for status, path in sorted(errors.items(), key=lambda item: "x" not in item[0]):
        page = path.read_bytes()
        if "x" in status:
            first = int(status[0]) * 100
            pages.update(dict.fromkeys(range(first, first + 100), page))
        else:
            pages[int(status)] = page
    return pages or None
