"""What the settings of routes, fields, redirects and own limits mean together.

The same kind of rules as in rules.py, which runs them. Files are looked at here: what a route needs is there before
anything runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lb.config.field_settings import CorsSettings, FieldSettings
from lb.config.model import App
from lb.config.names import CATCH_ALL
from lb.config.own_settings import OwnLimits
from lb.config.problems import KeyPath, Problem, quoted
from lb.config.route_settings import RouteSettings
from lb.config.rule_context import RuleContext
from lb.config.suggest import nearest
from lb.config.units import show_size
from lb.http.path_pattern import PathPattern, PatternEnding, parse_pattern
from lb.http.template import PLACEHOLDERS, TemplateError, parse_template

_LARGEST_PAGE = 1 << 20
_HSTS = "strict-transport-security"


def _default_is_one_app(scene: RuleContext) -> Iterator[Problem]:
    name = scene.config.domains_default
    if name is None:
        return
    path = ("domains_default",)
    app = scene.config.apps.get(name)
    if app is None:
        if scene.is_certain("apps"):
            meant = nearest(name, scene.config.apps)
            hint = f"write {meant}" if meant else "name one of the apps below"
            yield scene.origin.problem(path, f"there is no app {quoted(name)}", hint)
    elif app.production is None and scene.is_certain("apps", name, "production"):
        message = f"{quoted(name)} has no production, which would get the requests"
        yield scene.origin.problem(path, message, "add production to it, or name another app")
    for domain_path, domain in scene.domains():
        if domain.name == CATCH_ALL:
            where = scene.origin.where(domain_path)
            message = f'domains_default and the domain "*" ({where}) both say who gets the names that nobody bound'
            yield scene.origin.problem(path, message, "remove one of the two")


def _domains_redirect_elsewhere(scene: RuleContext) -> Iterator[Problem]:
    leads = {domain.name: domain.redirect for _, domain in scene.domains() if domain.redirect is not None}
    for path, domain in scene.domains():
        if domain.redirect is None:
            continue
        seen = {domain.name}
        target: str | None = domain.redirect
        while target is not None and target not in seen:
            seen.add(target)
            target = leads.get(target)
        if target is not None:
            message = f"{domain.name} redirects to {domain.redirect}, which leads back: clients would go round"
            yield scene.origin.problem((*path, "redirect"), message, "name a domain that answers")


def _routes(scene: RuleContext) -> Iterator[tuple[str, App, KeyPath, RouteSettings]]:
    for name, app in scene.config.apps.items():
        for index, route in enumerate(app.routes):
            yield name, app, ("apps", name, "routes", index), route


def _routes_lead_somewhere(scene: RuleContext) -> Iterator[Problem]:
    for name, app, path, route in _routes(scene):
        if route.app is None:
            continue
        other = scene.config.apps.get(route.app)
        if other is None:
            if scene.is_certain("apps"):
                meant = nearest(route.app, scene.config.apps)
                hint = f"write {meant}" if meant else "add it to apps"
                yield scene.origin.problem((*path, "app"), f"there is no app {quoted(route.app)}", hint)
            continue
        for kind in ("production", "staging"):
            missing = getattr(app, kind) is not None and getattr(other, kind) is None
            if missing and scene.is_certain("apps", route.app, kind):
                message = f"the route leads {kind} of {quoted(name)} to {quoted(route.app)}, which has no {kind}"
                yield scene.origin.problem((*path, "app"), message, f"add {kind} to {route.app}")


def _routes_do_one_thing(scene: RuleContext) -> Iterator[Problem]:
    for _, _, path, route in _routes(scene):
        passes = [key for key in ("app", "strip", "prefix", "rewrite") if getattr(route, key) is not None]
        if route.redirect is not None and passes:
            message = f"the route redirects, so {passes[0]} is not used"
            yield scene.origin.problem((*path, passes[0]), message, f"remove {passes[0]} or redirect")
        if route.status is not None and route.redirect is None:
            yield scene.origin.problem((*path, "status"), "status is that of a redirect", "add redirect, or remove it")
        if route.rewrite is not None and route.strip is not None:
            message = "rewrite says the whole path, so strip is not used"
            yield scene.origin.problem((*path, "strip"), message, "remove one of the two")
        if route.strip is not None and not route.path.startswith(route.strip.rstrip("/")):
            message = f"no path that {quoted(route.path)} matches begins with {quoted(route.strip)}"
            yield scene.origin.problem((*path, "strip"), message, "write how the route's path begins")


def _routes_can_match(scene: RuleContext) -> Iterator[Problem]:
    for name, app in scene.config.apps.items():
        before: list[tuple[int, PathPattern]] = []
        for index, route in enumerate(app.routes):
            path = ("apps", name, "routes", index)
            if "path" in scene.refused.get(path, ()):
                continue
            pattern = parse_pattern(route.path)
            hiding = next((number for number, earlier in before if earlier.covers(pattern)), None)
            if hiding is not None:
                where = scene.origin.where(("apps", name, "routes", hiding))
                message = f"the route {quoted(route.path)} never matches: the one {where} takes all of its requests"
                yield scene.origin.problem(path, message, "put it before that one", "warning")
            if not (route.method or route.header or route.query):
                before.append((index, pattern))


def _placeholders_are_known(scene: RuleContext) -> Iterator[Problem]:
    for name, app in scene.config.apps.items():
        yield from _templates(scene, ("apps", name), PLACEHOLDERS, _field_texts(app.headers))
    for _, _, path, route in _routes(scene):
        pattern = parse_pattern(route.path)
        own = () if pattern.ending is PatternEnding.EXACT else ("rest",)
        texts = dict(_field_texts(route.headers))
        for key in ("redirect", "rewrite"):
            text = getattr(route, key)
            if text is not None:
                texts[(key,)] = text
        yield from _templates(scene, path, (*PLACEHOLDERS, *pattern.names, *own), texts)


def _field_texts(headers: FieldSettings) -> dict[KeyPath, str]:
    return {
        ("headers", side, key, name): text
        for side, fields in (("request", headers.request), ("response", headers.response))
        for key in ("set", "add", "default")
        for name, text in getattr(fields, key).items()
    }


def _templates(
    scene: RuleContext, path: KeyPath, names: Sequence[str], texts: Mapping[KeyPath, str]
) -> Iterator[Problem]:
    for key, text in texts.items():
        try:
            parse_template(text, names)
        except TemplateError as error:
            yield scene.origin.problem((*path, *key), str(error.args[0]), str(error.args[1]))


def _cors_is_safe(scene: RuleContext) -> Iterator[Problem]:
    found: list[tuple[KeyPath, CorsSettings | None]] = [
        (("apps", name), app.cors) for name, app in scene.config.apps.items()
    ]
    found += [(path, route.cors) for _, _, path, route in _routes(scene)]
    for path, cors in found:
        if cors is not None and cors.credentials and "*" in cors.origins:
            message = "cors lets scripts of every origin act with the user's cookies"
            hint = "name the origins, or write credentials: false"
            yield scene.origin.problem((*path, "cors", "credentials"), message, hint)


def _hsts_has_https(scene: RuleContext) -> Iterator[Problem]:
    if scene.config.listen.https or not scene.is_certain("listen", "https"):
        return
    found: list[tuple[KeyPath, FieldSettings]] = [
        (("apps", name), app.headers) for name, app in scene.config.apps.items()
    ]
    found += [(path, route.headers) for _, _, path, route in _routes(scene)]
    for path, headers in found:
        for key in ("set", "add", "default"):
            for field in getattr(headers.response, key):
                if field.lower() == _HSTS:
                    message = f"{field} has no effect over HTTP, and there is no listen.https"
                    where = (*path, "headers", "response", key, field)
                    yield scene.origin.problem(where, message, "add listen.https, or remove it", "warning")


def _pages_can_be_read(scene: RuleContext) -> Iterator[Problem]:
    found = [(("apps", name), app.errors) for name, app in scene.config.apps.items()]
    found += [(path, route.errors) for _, _, path, route in _routes(scene)]  # type: ignore[misc]  # any key path
    for path, errors in found:
        for status, page in errors.items():
            try:
                size = page.stat().st_size if page.is_file() else None
                page.open("rb").close() if size is not None else None
            except OSError as error:
                message = f"{page} cannot be read: {error.strerror}"
                yield scene.origin.problem((*path, "errors", status), message, "correct its permissions")
                continue
            if size is None:
                message = f"there is no file {page}"
                yield scene.origin.problem((*path, "errors", status), message, "write the path of an HTML file")
            elif size > _LARGEST_PAGE:
                message = f"{page} is larger than {show_size(_LARGEST_PAGE)}, and is kept in memory"
                yield scene.origin.problem((*path, "errors", status), message, "make it smaller")


def _bursts_have_rates(scene: RuleContext) -> Iterator[Problem]:
    found: list[tuple[KeyPath, OwnLimits]] = [(("apps", name), app.limits) for name, app in scene.config.apps.items()]
    found += [(path, environment.limits) for path, environment in scene.environments()]
    found += [(path, route.limits) for _, _, path, route in _routes(scene)]
    for path, limits in found:
        if limits.client_burst is not None and limits.client_rate is None:
            message = "client_burst means nothing without a client_rate beside it"
            yield scene.origin.problem(
                (*path, "limits", "client_burst"), message, "add client_rate: 100/s, or remove client_burst"
            )


def is_led_to(scene: RuleContext, name: str) -> bool:
    """Whether requests reach an app although it has no domain: by a route, or by default."""
    return scene.config.domains_default == name or any(route.app == name for _, _, _, route in _routes(scene))


def _wildcards_select(scene: RuleContext) -> Iterator[Problem]:
    for path, domain in scene.domains():
        if domain.name == CATCH_ALL and domain.client_ca is not None:
            message = 'the domain "*" cannot ask for client certificates: no name is known when they are asked for'
            yield scene.origin.problem((*path, "client_ca"), message, "bind the names that are to ask")


ROUTE_RULES = (
    _default_is_one_app,
    _domains_redirect_elsewhere,
    _routes_lead_somewhere,
    _routes_do_one_thing,
    _routes_can_match,
    _placeholders_are_known,
    _cors_is_safe,
    _hsts_has_https,
    _pages_can_be_read,
    _bursts_have_rates,
    _wildcards_select,
)
