"""From the configuration to a snapshot: everything that can be decided before a request comes is decided here."""

from __future__ import annotations

from lb.config.model import App, Config, Domain
from lb.config.model import LimitSettings as LimitsConfig
from lb.config.names import is_staging, shared_names
from lb.http.head import Limits
from lb.routing.environment import Environment
from lb.routing.networks import Networks
from lb.routing.rate_limit import Pace
from lb.routing.registry import RegistryPlan
from lb.routing.route import Compression, Route
from lb.routing.snapshot import Answer, Snapshot
from lb.routing.table import Table


def compile_snapshot(
    config: Config, answer: Answer, plan: RegistryPlan, https_port: int | None, workers: int
) -> Snapshot:
    """The snapshot of one of `workers` workers; to be used when `plan`, which is still empty, has been committed.

    `https_port` is the port of the HTTPS listener, if there is one.
    """
    compression = _compression(config)
    routes: dict[str, Route] = {}
    alike: dict[object, Route] = {}
    for name, app in config.apps.items():
        environments = {
            kind: plan.environment(name, kind, section, config.limits.instance_connections or 0)
            for kind, section in (("production", app.production), ("staging", app.staging))
            if section is not None
        }
        for domain in _domains(config, name, app):
            environment = environments.get("staging" if is_staging(domain.name) else "production")
            if environment is not None:
                route = _route(config, domain, environment, compression)
                routes[domain.name] = alike.setdefault(
                    (route.environment, route.force_https, route.cdn, route.compression, route.client_auth), route
                )
    limits = Limits(config.limits.header_line, config.limits.header_total, config.limits.header_fields)
    snapshot = Snapshot(Table(routes), limits, answer, Networks(config.trusted_proxies))
    snapshot.https_port = https_port
    snapshot.connect = config.timeouts.connect
    snapshot.response = config.timeouts.response
    snapshot.read = config.timeouts.read
    snapshot.head = config.timeouts.head
    snapshot.idle = config.timeouts.idle
    snapshot.handshake = config.timeouts.handshake
    snapshot.drain = config.timeouts.drain
    snapshot.client_connections = config.limits.client_connections or 0
    snapshot.client_pace = _pace(config.limits)
    snapshot.max_connections = max(config.limits.connections // workers, 1)  # together no more than that (L5)
    on_demand = config.tls.on_demand
    if on_demand is not None and on_demand.wait is not None:
        snapshot.hold = on_demand.wait
        # They are connections, and not all of those may stand still.
        snapshot.max_held = min(max(on_demand.waiting // workers, 1), snapshot.max_connections // 2)
    snapshot.max_waiting = max(config.limits.waiting // workers, 1)
    return snapshot


def _pace(limits: LimitsConfig) -> Pace | None:
    rate = limits.client_rate
    return Pace(rate.seconds / rate.requests, limits.client_burst or rate.requests) if rate is not None else None


def _domains(config: Config, name: str, app: App) -> list[Domain]:
    """An app's bound domains, those of the shared domain included (D3)."""
    domains = list(app.domains)
    if config.shared_domain is not None:
        domains += [Domain(name=bound) for bound in shared_names(name, config.shared_domain)]
    return domains


def _route(config: Config, domain: Domain, environment: Environment, compression: Compression | None) -> Route:
    route = Route(environment, config.limits.body)
    route.force_https = domain.force_https
    route.cdn = domain.cdn
    if domain.client_ca is not None:
        route.client_auth = domain.name.encode()
    route.compression = compression if domain.compression else None
    return route


def _compression(config: Config) -> Compression | None:
    if config.compression is None:
        return None
    return Compression(
        tuple(name.encode() for name in config.compression.algorithms),
        config.compression.min_size,
        frozenset(media_type.encode() for media_type in config.compression.types),
    )
