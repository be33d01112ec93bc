"""What `lb ps`, `lb releases`, `lb apps` and the metrics show of an engine: plain data for JSON, made on request.

It reads what the service knows and asks nobody. Words for people are the commands' business.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from lb.apps.run.usage import Usage
from lb.apps.service.deployed_app import DeployedApp
from lb.apps.service.engine_service import EngineService
from lb.apps.service.environment_unit import EnvironmentUnit
from lb.apps.service.slots import Slot


def view_environment(service: EngineService, app: DeployedApp, unit: EnvironmentUnit) -> dict[str, Any]:
    """One environment as it is now."""
    life = unit.life
    placement = life.placement()
    return {
        "app": app.name,
        "environment": unit.name,
        "state": placement.state.value,
        "cause": placement.cause,
        "release": life.record.release,
        "count": life.count,
        "idle": service.figures.idle(app.name, unit.name),
        "instances": [_instance(service, app, unit, slot) for slot in life.slots.values()],
        "retiring": [
            {"id": one.id, "name": one.name, "release": one.release, "drains": one.drains} for one in life.retiring
        ],
        "deploys": [
            {"id": one.record.id, "kind": one.record.kind.value, "state": one.record.state.value, "who": one.record.who}
            for one in unit.active()
        ],
    }


def _instance(service: EngineService, app: DeployedApp, unit: EnvironmentUnit, slot: Slot) -> dict[str, Any]:
    instance = slot.instance
    usage = unit.usage.get(instance.id) if instance is not None else None
    figures = service.figures.of(app.name, unit.name, instance.id) if instance is not None else None
    facts = instance.facts if instance is not None else None
    return {
        "name": slot.name,
        "id": instance.id if instance is not None else "",
        "release": slot.release,
        "state": slot.phase.value,
        "listens": slot.listens,
        "endpoint": instance.endpoint if instance is not None else "",
        "started": facts.started if facts is not None else None,
        "isolation": facts.isolation.value if facts is not None else "",
        "network": facts.network.value if facts is not None else "",
        "restarts": slot.restarts,
        "last_cause": slot.last_cause,
        "note": slot.note,
        "usage": _usage(usage, unit.cpu_share.get(instance.id) if instance is not None else None),
        "figures": asdict(figures) if figures is not None else None,
    }


def _usage(usage: Usage | None, share: float | None) -> dict[str, Any] | None:
    return {**asdict(usage), "cpu_share": share} if usage is not None else None


def view_releases(app: DeployedApp) -> list[dict[str, Any]]:
    """Newest first; `serves` names the environments where a release serves."""
    serving: dict[str, list[str]] = {}
    for unit in app.units.values():
        if unit.life.record.release:
            serving.setdefault(unit.life.record.release, []).append(unit.name)
    shown = []
    for release in reversed(app.releases.complete()):
        meta = release.meta
        shown.append(
            {
                "tag": release.tag,
                "when": meta.when if meta is not None else None,
                "who": meta.who if meta is not None else "",
                "message": meta.message if meta is not None else "",
                "size": meta.size if meta is not None else None,
                "python": meta.python if meta is not None else "",
                "serves": serving.get(release.tag, []),
            }
        )
    return shown


def view_app(app: DeployedApp, *, reveal: bool = False) -> dict[str, Any]:
    """Identity and addresses. Keys are shown on request alone."""
    record = app.record
    domains = [domain.name for domain in app.context.app.domains]
    keys = {"app_key": record.app_key, "master_key": record.master_key, "hook_key": record.hook_key}
    return {
        "app": app.name,
        "app_id": record.app_id,
        **{name: value if reveal else "" for name, value in keys.items()},
        "python": record.python,
        "created": record.created,
        "domains": domains,
        "environments": app.deployed_environments(),
        "repository": str(app.home.repository),
    }


def addresses(service: EngineService, app: DeployedApp) -> dict[str, list[str]]:
    """Where requests arrive, and where the app's own connections come from, as it is now (N1). May ask the resolver."""
    given = service.config.engine.addresses
    inbound, outbound = list(given.inbound), list(given.outbound)
    if not inbound:
        listen = service.config.listen
        names = [domain.name for domain in app.context.app.domains if not domain.name.startswith("*")]
        hosts = [one.host for one in (*listen.http, *listen.https) if one.host not in ("", "0.0.0.0", "::")]  # noqa: S104
        inbound = sorted({*hosts, *_resolved(names)})
    return {"inbound": inbound, "outbound": outbound or _sources()}


def _resolved(names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for name in names:
        try:
            found |= {str(entry[4][0]) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
        except (OSError, UnicodeError):
            continue
    return found


def _sources() -> list[str]:
    """The source address of the default route, for each family; nothing is sent."""
    found = []
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((target, 9))
                found.append(str(probe.getsockname()[0]))
        except OSError:
            continue
    return found
