"""The health plan → the instances to check, the requests, and the rules."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

from lb import __version__
from lb.config.model import EnvironmentSettings, InstanceAddress
from lb.config.plan import ClientOfChecks, ConfiguredInstance, HealthPlan
from lb.health.check import CheckRequest
from lb.health.connection import Reach
from lb.health.probe import ProbeTarget
from lb.health.state import Rules
from lb.http.proxy_protocol import proxy_header
from lb.routing.deployment import read_serving
from lb.routing.health_table import ABSENT, HealthTable
from lb.routing.instance_tls import TlsClient
from lb.routing.members import instance_key, other_loopback

PING = "/__engine/1/ping"
"""The path that apps with the platform's SDK answer (A1). It is tried beside the home page when a 2xx is required but
no path is set; deployed apps are judged by that rule.
"""

_ALIVE = ("2xx", "3xx", "4xx")
"""Any response that is not a server error: `health_checks: on` alone knows nothing about the app."""


def subjects(health: HealthPlan, table: HealthTable) -> Iterator[ProbeTarget]:
    """The instances to check, if they have an address."""
    plans: dict[tuple[str, str], _Plan] = {}
    for one in health.watched:
        plan = plans.get((one.app, one.environment))
        if plan is None:
            plan = plans[one.app, one.environment] = _plan(one.section, health.asked_as[one.app, one.environment])
        if plan.is_checked:
            yield from _subjects_of(one, plan, table)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is common to the checks of an environment; `domain` is "" if it has none."""

    is_checked: bool
    domain: str
    fields: str
    uris: tuple[str, ...]
    statuses: tuple[str, ...]
    rules: Rules
    tls: TlsClient | None


def _plan(section: EnvironmentSettings, client: ClientOfChecks) -> _Plan:
    return _Plan(
        section.is_checked,
        client.domain,
        f"User-Agent: lb-health/{__version__}\r\n"
        "Accept: */*\r\n"
        f"X-Forwarded-Proto: {client.scheme}\r\n"
        "Connection: close\r\n",
        _uris(section),
        _statuses(section),
        Rules(section.health_interval, section.health_passes, section.health_fails, section.health_start_period),
        _tls_client(section),
    )


def _tls_client(section: EnvironmentSettings) -> TlsClient | None:
    if not any(address.tls for address in section.instances):
        return None
    settings = section.instance_tls
    return TlsClient.of(settings.verify, settings.ca, settings.cert, settings.key)


def _uris(section: EnvironmentSettings) -> tuple[str, ...]:
    if section.health_uri is not None:
        return (section.health_uri,)
    return ("/", PING) if _statuses(section) == ("2xx",) else ("/",)


def _statuses(section: EnvironmentSettings) -> tuple[str, ...]:
    if section.health_status:
        return section.health_status
    return ("2xx",) if section.health_uri is not None or section.deploy else _ALIVE


def _subjects_of(one: ConfiguredInstance, plan: _Plan, table: HealthTable) -> Iterator[ProbeTarget]:
    if one.is_deployed:
        yield from _deployed_subjects(one, plan, table)
        return
    for key in one.keys:
        row = table.find(key)
        condition = table.read(row)
        host = condition.host if condition is not None else ""
        if one.address.is_name and (condition is None or condition.state == ABSENT):
            continue
        title = instance_key(one.title, host)
        group = (one.app, one.environment)
        question = _question(one.section, one.address, plan, host or one.address.host)
        yield ProbeTarget(row, title, host, question, plan.rules, group)


def _deployed_subjects(one: ConfiguredInstance, plan: _Plan, table: HealthTable) -> Iterator[ProbeTarget]:
    for row in map(table.find, one.keys):
        condition = table.read(row)
        placed = None if condition is None else read_serving(condition)
        if condition is None or placed is None:
            continue
        address = InstanceAddress(host="", port=0, path=placed.endpoint.removeprefix("unix:"), text=placed.endpoint)
        if not placed.endpoint.startswith("unix:"):
            host, _, port = placed.endpoint.rpartition(":")
            address = InstanceAddress(host=host.strip("[]"), port=int(port), path="", text=placed.endpoint)
        title = f"app {one.app} {one.environment} {placed.key}"
        question = _question(one.section, address, plan, address.host)
        yield ProbeTarget(row, title, condition.host, question, plan.rules, (one.app, one.environment))


def _question(section: EnvironmentSettings, address: InstanceAddress, plan: _Plan, host: str) -> CheckRequest:
    """It looks like a client's request: apps refuse unknown hosts (Django's ALLOWED_HOSTS) and redirect requests that
    did not arrive over HTTPS (its SECURE_SSL_REDIRECT).
    """
    place = address.text.removeprefix("https://")
    name = plan.domain or ("localhost" if address.path else place)
    port = section.health_port or address.port
    return CheckRequest(
        socket.AF_UNIX if address.path else socket.AF_INET6 if ":" in host else socket.AF_INET,
        address.path or (host, port),
        plan.uris,
        f"Host: {name}\r\n{plan.fields}".encode(),
        plan.statuses,
        section.health_timeout,
        name,
        Reach(
            greeting=proxy_header(int(section.send_proxy[1:]), None) if section.send_proxy is not None else b"",
            tls=plan.tls if address.tls else None,
            server_name=section.instance_tls.server_name or address.host,
            alternate=other_loopback(host, port) if address.host == "localhost" else None,
        ),
    )
