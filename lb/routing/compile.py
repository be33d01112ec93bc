"""From the configuration to a snapshot: all that can be decided before a request comes is decided here."""

from __future__ import annotations

from lb.config.model import CompressionSettings, Domain
from lb.config.model import LimitSettings as LimitsConfig
from lb.config.names import is_staging
from lb.config.plan import Plan
from lb.config.trusted_proxies import trusted_networks
from lb.http.head import Limits
from lb.routing.compile_routes import RouteCompiler
from lb.routing.compression import Compression
from lb.routing.networks import Networks
from lb.routing.rate_limit import RateLimit
from lb.routing.registry import RegistryPlan
from lb.routing.route import Route
from lb.routing.snapshot import Answer, Snapshot
from lb.routing.table import RouteTable


def compile_snapshot(
    plan: Plan, answer: Answer, registry_plan: RegistryPlan, https_port: int | None, workers: int
) -> Snapshot:
    """The snapshot of one of `workers` workers; to be used once `registry_plan`, which is still empty, has been
    committed.

    `https_port` is the port of the HTTPS listener, if there is one.
    """
    config = plan.config
    limit = config.limits.instance_connections or 0
    environments = {(one.app, one.name): registry_plan.environment(one, limit) for one in plan.environments}
    compiler = RouteCompiler(
        config.apps, config.limits, config.timeouts, environments, _compression(config.compression)
    )
    routes: dict[str, Route] = {}
    alike: dict[object, Route] = {}  # with 10,000 domains, one route that stays in the processor's cache
    for app, domains in plan.domains.items():
        for domain in domains:
            kind = "staging" if is_staging(domain.name) else "production"
            if (app, kind) in environments:
                what = (app, kind, _without_name(domain))
                routes[domain.name] = alike.get(what) or alike.setdefault(what, compiler.domain(app, domain, kind))
    limits = Limits(config.limits.header_line, config.limits.header_total, config.limits.header_fields)
    snapshot = Snapshot(RouteTable(routes), limits, answer, Networks(trusted_networks(config.trusted_proxies)))
    snapshot.https_port = https_port
    snapshot.proxy_protocol = config.listen.proxy_protocol
    snapshot.connect = config.timeouts.connect
    snapshot.response = config.timeouts.response
    snapshot.read = config.timeouts.read
    snapshot.head = config.timeouts.head
    snapshot.idle = config.timeouts.idle
    snapshot.handshake = config.timeouts.handshake
    snapshot.drain = config.timeouts.drain
    snapshot.http2 = "h2" in config.listen.protocols
    snapshot.h2c = config.listen.h2c
    snapshot.client_connections = config.limits.client_connections or 0
    snapshot.client_pace = _pace(config.limits)
    snapshot.max_connections = max(config.limits.connections // workers, 1)  # together no more than that (L5)
    on_demand = config.tls.on_demand
    if on_demand is not None and on_demand.wait is not None:
        snapshot.hold = on_demand.wait
        # They are connections, and not all of those may be held.
        snapshot.max_held = min(max(on_demand.waiting // workers, 1), snapshot.max_connections // 2)
    snapshot.max_waiting = max(config.limits.waiting // workers, 1)
    return snapshot


def _pace(limits: LimitsConfig) -> RateLimit | None:
    rate = limits.client_rate
    return RateLimit(rate.seconds / rate.requests, limits.client_burst or rate.requests) if rate is not None else None


def _without_name(domain: Domain) -> tuple[object, ...]:
    """All that tells the treatment of one domain of an environment from that of another."""
    name = domain.name if domain.client_ca is not None else ""
    hsts = domain.hsts.value if domain.hsts is not None else None
    return domain.force_https, domain.cdn, domain.client_from, hsts, domain.compression, domain.redirect, name


def _compression(settings: CompressionSettings | None) -> Compression | None:
    if settings is None:
        return None
    return Compression(
        tuple(name.encode() for name in settings.algorithms),
        settings.min_size,
        frozenset(media_type.encode() for media_type in settings.types),
    )
