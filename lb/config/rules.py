"""Rules across several settings: what cannot work, and what is legal but surprising.

Every rule is one function that knows the whole, valid configuration and yields problems at the places of its settings.
A part of the file that was rejected already is not in the configuration; a rule about something that is missing asks
`is_certain` first, so that a mistake is not reported twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from lb.config import names
from lb.config.acme import WITH_BINDING, Acme
from lb.config.environment_rules import ENVIRONMENT_RULES
from lb.config.file_rules import FILE_RULES
from lb.config.guard_rules import GUARD_RULES
from lb.config.instance_rules import INSTANCE_RULES
from lb.config.model import App, ListenAddress
from lb.config.problems import KeyPath, Problem, dotted, quoted
from lb.config.proxy_rules import PROXY_RULES
from lb.config.route_rules import ROUTE_RULES, is_led_to
from lb.config.rule_context import EVERY_ADDRESS, RuleContext
from lb.config.units import show_size

_STREAMS = frozenset({"stdout", "stderr", "console", "syslog"})
_ENVIRONMENTS = ("production", "staging")
# Names under these are the operator's own, so a wildcard over all of them is no surprise.
_PRIVATE_TOPS = frozenset({"localhost", "test", "local", "internal", "lan", "home", "intranet"})


def check_rules(scene: RuleContext) -> list[Problem]:
    """All errors and warnings of a configuration whose values are individually valid."""
    rules = (
        _listeners_exist,
        _listeners_are_distinct,
        _https_has_certificates,
        _acme_can_work,
        _force_https_has_https,
        _clients_can_show_certificates,
        _header_limits_fit,
        _burst_has_a_rate,
        _apps_exist,
        _apps_can_serve,
        _domains_have_environments,
        _domains_are_bound_once,
        _shared_names_are_possible,
        *ENVIRONMENT_RULES,
        *ROUTE_RULES,
        *FILE_RULES,
        *GUARD_RULES,
        *PROXY_RULES,
        *INSTANCE_RULES,
        _wildcards_are_narrow,
        _log_is_a_file,
        _admin_is_private,
    )
    return [problem for rule in rules for problem in rule(scene)]


def _listeners_exist(scene: RuleContext) -> Iterator[Problem]:
    listen = scene.config.listen
    if not listen.http and not listen.https and all(scene.is_certain("listen", key) for key in ("http", "https")):
        hint = "add listen: {http: 127.0.0.1:8080}"
        message = "there is no listener: listen.http and listen.https are missing"
        yield scene.origin.key_problem(("listen",), message, hint)


def _listeners_are_distinct(scene: RuleContext) -> Iterator[Problem]:
    seen: list[tuple[KeyPath, ListenAddress]] = []
    for path, address in scene.listeners():
        for other_path, other in seen:
            if _is_same_listener(address, other):
                where = f"{scene.origin.name(other_path)} {scene.origin.where(other_path)}"
                taken = f"{scene.origin.name(path)}: {quoted(address)} is already used by {where}"
                yield scene.origin.problem(path, taken, "give each its own port")
                break
        seen.append((path, address))


def _is_same_listener(one: ListenAddress, other: ListenAddress) -> bool:
    if one.port != other.port or not one.port:
        return False
    # "" is every IPv4 and IPv6 address at once; a single address beside it is legal and gets its own connections.
    return one.host == other.host or ("" in (one.host, other.host) and {one.host, other.host} <= EVERY_ADDRESS)


def _https_has_certificates(scene: RuleContext) -> Iterator[Problem]:
    listen, certificates = scene.config.listen, scene.config.tls.certificates
    known = scene.is_certain("tls", "certificates") and scene.is_certain("tls", "acme")
    shared = scene.config.shared_domain
    local = any(names.is_local(domain.name) for _, domain in scene.domains()) or names.is_local(shared or "")
    stored = "store" in scene.config.tls.model_fields_set  # its certificates are presented
    if listen.https and not certificates and scene.config.tls.acme is None and known and not local and not stored:
        hint = "add tls: {certificates: [{cert: shop.pem, key: shop.key}]}, or tls: {acme: …}, or remove listen.https"
        yield scene.origin.problem(("listen", "https"), "listen.https needs a certificate", hint)
    if certificates and not listen.https and scene.is_certain("listen", "https"):
        hint = 'add listen: {https: ":443"}'
        message = "tls.certificates are not used: there is no listen.https"
        yield scene.origin.key_problem(("tls", "certificates"), message, hint, "warning")


def _acme_can_work(scene: RuleContext) -> Iterator[Problem]:
    tls, listen = scene.config.tls, scene.config.listen
    path = ("tls", "acme")
    if tls.on_demand is not None and tls.acme is None and scene.is_certain(*path):
        hint = "add tls: {acme: {email: ops@example.com, agree_to_terms: true}}"
        yield scene.origin.key_problem(("tls", "on_demand"), "on_demand needs tls.acme to obtain them", hint)
    all_domains_known = not any(section[:1] == ("apps",) for section in scene.refused)
    wildcard = any(domain.name.startswith("*.") for _, domain in scene.domains())
    if tls.on_demand is not None and not wildcard and all_domains_known:
        message = "on_demand is not used: no wildcard is bound, and every other domain gets its certificate at once"
        hint = 'bind a wildcard such as "*.example.com" to an app'
        yield scene.origin.key_problem(("tls", "on_demand"), message, hint, "warning")
    if tls.acme is None:
        return
    if not tls.acme.agree_to_terms and scene.is_certain(*path, "agree_to_terms"):
        message = "tls.acme: a CA requires agreement to its terms of service"
        yield scene.origin.key_problem(path, message, "read them; then write agree_to_terms: true")
    if not listen.https and scene.is_certain("listen", "https"):
        message = "tls.acme is not used: there is no listen.https"
        yield scene.origin.key_problem(path, message, 'add listen: {https: ":443"}', "warning")
    needed = {
        "http-01": ("listen.http", bool(listen.http)),
        "tls-alpn-01": ("listen.https", bool(listen.https)),
        "dns-01": ("tls.acme.dns_hook", bool(tls.acme.dns_hook)),
    }
    for index, challenge in enumerate(tls.acme.challenges or ()):
        key, is_there = needed[challenge]
        if not is_there and scene.is_certain(*key.split(".")):
            where = (*path, "challenges", index)
            yield scene.origin.problem(where, f"{challenge} cannot work without {key}", f"add {key}, or remove it here")
    yield from _servers_know_us(scene, tls.acme)


def _servers_know_us(scene: RuleContext, acme: Acme) -> Iterator[Problem]:
    """Some CAs require an account at their website (EAB)."""
    paths: tuple[KeyPath, ...] = (("tls", "acme"), ("tls", "acme", "fallback"))
    for path, server in zip(paths, acme.servers, strict=False):
        if server.directory in WITH_BINDING and server.eab is None and (*path, "eab") not in scene.refused:
            message = f"{dotted(path)}: this CA requires an account at its website"
            yield scene.origin.key_problem(path, message, "add eab: {kid: …, hmac_key: …}, shown on the website")


def _force_https_has_https(scene: RuleContext) -> Iterator[Problem]:
    if scene.config.listen.https or not scene.is_certain("listen", "https"):
        return
    for path, domain in scene.domains():
        if domain.force_https:
            message = f"{domain.name} redirects to HTTPS, but there is no listen.https"
            yield scene.origin.problem((*path, "force_https"), message, "add listen.https, or remove force_https")


def _clients_can_show_certificates(scene: RuleContext) -> Iterator[Problem]:
    for path, domain in scene.domains():
        if domain.client_ca is None:
            if "client_auth" in domain.model_fields_set and (*path, "client_ca") not in scene.refused:
                hint = "add client_ca: clients.pem, or remove client_auth"
                message = f"{domain.name}: client_auth has no effect without client_ca"
                yield scene.origin.problem((*path, "client_auth"), message, hint)
        elif not scene.config.listen.https and scene.is_certain("listen", "https"):
            message = f"{domain.name} asks clients for certificates, but there is no listen.https"
            yield scene.origin.problem((*path, "client_ca"), message, "add listen.https, or remove client_ca")


def _header_limits_fit(scene: RuleContext) -> Iterator[Problem]:
    limits = scene.config.limits
    both = (("limits", "header_line"), ("limits", "header_total"))
    if limits.header_line > limits.header_total and all(scene.is_certain(*path) for path in both):
        line, total = show_size(limits.header_line), show_size(limits.header_total)
        message = f"limits.header_line ({line}) is larger than limits.header_total ({total}), which is for all lines"
        yield scene.origin.problem(("limits", "header_line"), message, "raise header_total, or lower header_line")


def _burst_has_a_rate(scene: RuleContext) -> Iterator[Problem]:
    limits = scene.config.limits
    if limits.client_burst is not None and limits.client_rate is None and scene.is_certain("limits", "client_rate"):
        message = "limits.client_burst has no effect without limits.client_rate"
        yield scene.origin.problem(
            ("limits", "client_burst"), message, "add client_rate: 100/s, or remove client_burst"
        )


def _apps_exist(scene: RuleContext) -> Iterator[Problem]:
    if not scene.config.apps and scene.is_certain("apps"):
        hint = "add apps: {shop: {domains: [shop.example.com], production: {instances: [127.0.0.1:3000]}}}"
        yield scene.origin.key_problem(("apps",), "there is no app: every request gets 404", hint, "warning")


def _apps_can_serve(scene: RuleContext) -> Iterator[Problem]:
    for name, app in scene.config.apps.items():
        path = ("apps", name)
        certain = all(scene.is_certain(*path, environment) for environment in _ENVIRONMENTS)
        if app.production is None and app.staging is None and certain:
            hint = "add production: {instances: [127.0.0.1:3000]}"
            yield scene.origin.key_problem(path, f"the app {quoted(name)} has neither production nor staging", hint)
        unbound = not app.domains and scene.config.shared_domain is None and not is_led_to(scene, name)
        if unbound and scene.is_certain(*path, "domains") and scene.is_certain("shared_domain"):
            hint = f"add domains: [{name}.example.com], or a shared_domain for all apps"
            yield scene.origin.key_problem(path, f"the app {quoted(name)} has no domains: nothing leads to it", hint)


def _domains_have_environments(scene: RuleContext) -> Iterator[Problem]:
    for name, app in scene.config.apps.items():
        if app.production is None and app.staging is None:
            continue  # reported by _apps_can_serve
        selected = set()
        for index, domain in enumerate(app.domains):
            environment = "staging" if names.is_staging(domain.name) else "production"
            selected.add(environment)
            if getattr(app, environment) is None and scene.is_certain("apps", name, environment):
                why = f'{"begins" if environment == "staging" else "does not begin"} with "stg-"'
                message = f"{domain.name} {why} and so selects {environment}, which {quoted(name)} does not have"
                hint = f"add {environment}: {{instances: [127.0.0.1:3000]}}, or remove the domain"
                yield scene.origin.problem(("apps", name, "domains", index), message, hint)
        yield from _unreachable(scene, name, app, selected)


def _unreachable(scene: RuleContext, name: str, app: App, selected: set[str]) -> Iterator[Problem]:
    """Warns about instances that no domain selects."""
    certain = scene.is_certain("apps", name, "domains") and scene.is_certain("shared_domain")
    if not app.domains or scene.config.shared_domain is not None or not certain:
        return
    for environment in _ENVIRONMENTS:
        if getattr(app, environment) is not None and environment not in selected:
            begins = "none of its domains begins" if environment == "staging" else "all of its domains begin"
            message = f'nothing leads to {environment} of {quoted(name)}: {begins} with "stg-"'
            example = f"stg-{name}.example.com" if environment == "staging" else f"{name}.example.com"
            path = ("apps", name, environment)
            yield scene.origin.key_problem(path, message, f"bind a domain such as {example}", "warning")


def _domains_are_bound_once(scene: RuleContext) -> Iterator[Problem]:
    bound: dict[str, str] = {}  # name → where it is bound, for the message
    if (shared := scene.config.shared_domain) is not None:
        shared_where = scene.origin.where(("shared_domain",))
        for app in scene.config.apps:
            for name in names.shared_names(app, shared):
                where = f"by shared_domain {shared_where} (to the app {quoted(app)})"
                if name in bound:
                    message = f"{name} is bound twice: {bound[name]} and {where}"
                    yield scene.origin.key_problem(("apps", app), message, "rename one of the two apps")
                    break
                bound[name] = where
    for path, domain in scene.domains():
        where = f"{scene.origin.where(path)} (to the app {quoted(path[1])})"
        if domain.name in bound:
            first = bound[domain.name]
            message = f"{domain.name} is bound twice{f', {where}' if first == where else f': {first} and {where}'}"
            yield scene.origin.problem((*path, "name"), message, "remove one of the two")
        bound.setdefault(domain.name, where)


def _shared_names_are_possible(scene: RuleContext) -> Iterator[Problem]:
    if (shared := scene.config.shared_domain) is None:
        return
    for app in scene.config.apps:
        name, staging = names.shared_names(app, shared)
        if names.is_staging(name):
            message = f"under shared_domain, {name} would be the staging of another app"
            yield scene.origin.key_problem(("apps", app), message, 'rename the app: its name may not begin with "stg-"')
        elif not names.is_label(staging.removesuffix(f".{shared}")) or not names.is_possible(staging):
            message = f"the app {quoted(app)} cannot be served under shared_domain: {staging} is not a domain name"
            yield scene.origin.key_problem(("apps", app), message, "shorten the name, and use no dots in it")


def _wildcards_are_narrow(scene: RuleContext) -> Iterator[Problem]:
    for path, domain in scene.domains():
        top = domain.name.removeprefix("*.")
        if domain.name.startswith("*.") and "." not in top and top not in _PRIVATE_TOPS:
            message = f"{quoted(domain.name)} stands for every domain directly under .{top}"
            hint = f'write "*.example.{top}" for the names under one domain'
            yield scene.origin.problem(path, message, hint, "warning")


def _log_is_a_file(scene: RuleContext) -> Iterator[Problem]:
    path = scene.config.access_log.path
    if path in _STREAMS:
        message = f"access_log.path: {quoted(path)} is a file of that name in the directory in which lb is started"
        hint = "write /dev/stderr" if path == "stderr" else f'write "-" for standard output, or ./{path} for the file'
        yield scene.origin.problem(("access_log", "path"), message, hint, "warning")


def _admin_is_private(scene: RuleContext) -> Iterator[Problem]:
    admin = scene.config.admin
    if admin is not None and (admin.host in EVERY_ADDRESS or ip_address(admin.host).is_global):
        message = f"admin listens on {quoted(admin)}, which other machines may reach; it requires no password"
        yield scene.origin.problem(("admin",), message, f"write 127.0.0.1:{admin.port}", "warning")
