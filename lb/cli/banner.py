"""The banner at start: addresses, apps, and how lb runs. Text only; nothing is decided here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import click

from lb.cli.descriptors import descriptor_lines
from lb.cli.fallbacks import warnings
from lb.config.model import App, Domain
from lb.config.names import CATCH_ALL, is_staging
from lb.config.plan import Plan
from lb.control.service import Service

_MOST_LINES = 40  # about apps and domains; a thousand of them would scroll everything else off the screen


def banner(service: Service) -> list[str]:
    """The lines of the banner. Each address has a line `listening on URL` of its own, which programs also read."""
    apps = list(_apps(service.plan))
    if len(apps) > _MOST_LINES:
        apps[_MOST_LINES:] = [f"… {len(apps) - _MOST_LINES} more lines, see the configuration"]
    return [*_build(service.info), *_addresses(service), *apps, *_notes(service.info)]


def _build(info: Mapping[str, str]) -> Iterator[str]:
    engine = f"{info['engine']} engine on {info['transport']}, {info['loop']}, TLS by {info['tls']} ({info['openssl']})"
    yield f"{click.style('lb ' + info['version'], bold=True)}: {engine}, {info['python']}"


def _addresses(service: Service) -> Iterator[str]:
    for one in service.bound:
        yield f"listening on {click.style(one.url, bold=True)}"
    workers, config = service.board.serving, service.plan.config
    access_log = config.access_log
    sink = "stdout" if access_log.path == "-" else access_log.path
    log = "no access log" if access_log.format == "off" else f"access log ({access_log.format}) to {sink}"
    yield f"{workers} worker{'s' if workers > 1 else ''}, {log}"
    yield from descriptor_lines(config.listen, workers, config.limits.connections)
    for one in service.admin:
        yield f"admin at {one.url}: /metrics /healthz /readyz /status"


def _apps(plan: Plan) -> Iterator[str]:
    for name, app in plan.config.apps.items():
        yield f"app {click.style(name, bold=True)}"
        rows = list(_domains(app, plan.domains[name]))
        width = max((len(domain) for domain, _ in rows), default=0)
        for domain, environment in rows:
            yield f"  {domain:<{width}}  {environment}"


def _domains(app: App, domains: Iterable[Domain]) -> Iterator[tuple[str, str]]:
    for one in (domain.name for domain in domains):
        kind, environment = ("staging", app.staging) if is_staging(one) else ("production", app.production)
        if environment is not None:
            instances = ", ".join(instance.text for instance in environment.instances)
            instances = instances or ("deployed" if environment.deploy else "its routes")
            yield "every host" if one == CATCH_ALL else one, f"{kind}: {instances}"


def _notes(info: Mapping[str, str]) -> Iterator[str]:
    for text in warnings(info):
        yield click.style(f"note: {text}", fg="yellow")
