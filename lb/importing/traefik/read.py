"""A compose file with Traefik's labels, or a file of Traefik's own → a draft."""

from __future__ import annotations

from pathlib import Path

from lb.importing.draft import Draft
from lb.importing.omissions import Omissions, Weight
from lb.importing.source_line import SourceLine, UnreadableSourceError
from lb.importing.traefik.compose_file import ComposeService, TraefikFile, read_traefik_file
from lb.importing.traefik.middlewares import MiddlewareReader
from lb.importing.traefik.routers import Parts, RouterReader
from lb.importing.traefik.services import ServiceReader
from lb.importing.traefik.static import StaticReader


def read_traefik(paths: list[Path], draft: Draft, omissions: Omissions) -> None:
    """Fills a draft with what files say together, as `docker compose -f A -f B` does. Raises UnreadableSourceError."""
    file = _together([read_traefik_file(path) for path in paths])
    tree = file.settings
    for service in file.services:  # a middleware of one container's labels may be named by another's
        middlewares = service.labels.get("http.middlewares")
        if middlewares is not None:
            for path, leaf in middlewares.leaves("http.middlewares"):
                tree.put(path, leaf.value, leaf.at)
    static = StaticReader(tree, draft, omissions)
    parts = Parts(draft, omissions, MiddlewareReader(tree, draft, omissions), ServiceReader(tree, omissions), static)
    reader = RouterReader(parts)
    found = _routers(file, reader, omissions)
    if not found:
        at = SourceLine(paths[0].name, 0)
        raise UnreadableSourceError(at, "there is no router in this file: it has no labels traefik.http.routers.…")
    static.top()
    static.certificates()
    reader.finish()


def _together(files: list[TraefikFile]) -> TraefikFile:
    """The services of several compose files by name, their labels together."""
    first, *others = files
    for other in others:
        for path, leaf in other.settings.leaves():
            first.settings.put(path, leaf.value, leaf.at)
        for service in other.services:
            known = next((one for one in first.services if one.name == service.name), None)
            if known is None:
                first.services.append(service)
                continue
            known.ports += service.ports
            for path, leaf in service.labels.leaves():
                known.labels.put(path, leaf.value, leaf.at)
    return first


def _routers(file: TraefikFile, reader: RouterReader, omissions: Omissions) -> int:
    found = 0
    routers = file.settings.get("http.routers")
    for name, router in routers.below.items() if routers is not None else ():
        reader.read(name, router, None)
        found += 1
    for service in file.services:
        if service.labels.text("enable").lower() == "false":
            continue
        found += _of_service(service, reader, omissions)
    for kind in ("tcp", "udp"):
        branch = file.settings.get(f"{kind}.routers")
        if branch is not None:
            omissions.add(Weight.ROUTING, branch.at, f"{kind}: lb speaks HTTP only", "keep Traefik for it")
    return found


def _of_service(service: ComposeService, reader: RouterReader, omissions: Omissions) -> int:
    for kind in ("tcp", "udp"):
        branch = service.labels.get(f"{kind}.routers")
        if branch is not None:
            omissions.add(Weight.ROUTING, branch.at, f"{kind}: lb speaks HTTP only", "keep Traefik for it")
    routers = service.labels.get("http.routers")
    for name, router in routers.below.items() if routers is not None else ():
        reader.read(name, router, service)
    return len(routers.below) if routers is not None else 0
