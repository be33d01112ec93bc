"""A compose file, or a file of Traefik's own → its services with their labels, and Traefik's settings.

lb's reader of YAML gives the lines. What a service is for is for others to know.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from lb.config.compose import compose, decode
from lb.config.problems import ConfigErrors, Problem, Source
from lb.config.tree import MappingNode, Node, Scalar, Sequence
from lb.importing.nginx.files import read_text
from lb.importing.source_line import SourceLine, UnreadableSourceError
from lb.importing.traefik.settings_tree import Branch, normal, put_label, put_node

_TRAEFIK = re.compile(r"(^|/)traefik(:|@|$)")
_SECTIONS = ("http", "entrypoints", "certificatesresolvers", "providers")


@dataclass(slots=True)
class ComposeService:
    """A service: its labels as a tree, and the ports that its containers listen on."""

    name: str
    at: SourceLine
    labels: Branch
    ports: list[int] = field(default_factory=list)


@dataclass(slots=True)
class TraefikFile:
    """What a file says: Traefik's own settings, and the services of a compose file."""

    settings: Branch
    services: list[ComposeService] = field(default_factory=list)


def read_traefik_file(path: Path) -> TraefikFile:
    """Raises UnreadableSourceError."""
    name = path.name
    text = read_text(path, name)
    problems: list[Problem] = []
    try:
        source = Source.of(name, decode(name, text.encode()))
        root = compose(source, problems)
    except ConfigErrors as error:
        first = error.problems[0]
        raise UnreadableSourceError(SourceLine(name, first.line), first.message) from None
    found = TraefikFile(Branch(SourceLine(name, 0)))
    top = entries(root)
    services = top.get("services")
    if isinstance(services, MappingNode):
        for key, node in entries(services).items():
            _service(found, key, node, name)
    elif any(key.lower() in _SECTIONS for key in top):
        put_node(found.settings, root, name)
    else:
        raise UnreadableSourceError(SourceLine(name, 0), "this is neither a compose file nor one of Traefik")
    return found


def entries(node: Node | None) -> dict[str, Node]:
    """The entries of a mapping; those of merged ones (<<) are in it, too."""
    found: dict[str, Node] = {}
    if not isinstance(node, MappingNode):
        return found
    for key, inner in node.items:
        if isinstance(key, Scalar) and key.plain and key.text == "<<":
            merged = inner.items if isinstance(inner, Sequence) else [inner]
            for one in merged:
                found = {**entries(one), **found}
    return found | {key.text: inner for key, inner in node.items if isinstance(key, Scalar) and key.text != "<<"}


def _service(found: TraefikFile, name: str, node: Node, file: str) -> None:
    parts = entries(node)
    service = ComposeService(name, SourceLine(file, node.span.line), Branch(SourceLine(file, node.span.line)))
    deploy = entries(parts.get("deploy"))
    for labels in (parts.get("labels"), deploy.get("labels")):
        for key, value, line in _pairs(labels):
            if key.lower().startswith("traefik."):
                put_label(service.labels, key, value, SourceLine(file, line))
    service.ports = _ports(parts)
    image = parts.get("image")
    is_traefik = isinstance(image, Scalar) and _TRAEFIK.search(image.text) is not None
    arguments = _words(parts.get("command"))
    if is_traefik or any(word.startswith("--providers.docker") for word, _ in arguments):
        for word, line in arguments:
            if word.startswith("--"):
                key, _, value = word[2:].partition("=")
                put_label(found.settings, key, value or "true", SourceLine(file, line))
        for key, value, line in _pairs(parts.get("environment")):
            if key.startswith("TRAEFIK_"):
                path = key.removeprefix("TRAEFIK_").lower().replace("_", ".")
                found.settings.put(path, normal(value), SourceLine(file, line))
    found.services.append(service)


def _pairs(node: Node | None) -> list[tuple[str, str, int]]:
    """Key, value and line of labels or variables, which may be a list or a mapping."""
    found: list[tuple[str, str, int]] = []
    if isinstance(node, Sequence):
        for item in node.items:
            if isinstance(item, Scalar):
                key, _, value = item.text.partition("=")
                found.append((key.strip(), value.strip(), item.span.line + 1))
    elif isinstance(node, MappingNode):
        for key, inner in entries(node).items():
            if isinstance(inner, Scalar):
                found.append((key, inner.text, inner.span.line + 1))
    return found


def _words(node: Node | None) -> list[tuple[str, int]]:
    if isinstance(node, Sequence):
        return [(item.text, item.span.line + 1) for item in node.items if isinstance(item, Scalar)]
    if isinstance(node, Scalar):
        try:
            return [(word, node.span.line + 1) for word in shlex.split(node.text)]
        except ValueError:
            return []
    return []


def _ports(parts: dict[str, Node]) -> list[int]:
    """The ports of containers, from `expose` and `ports`: 8000, 127.0.0.1:80:8000/tcp, {target: 8000}."""
    found: list[int] = []
    for key in ("expose", "ports"):
        node = parts.get(key)
        for item in node.items if isinstance(node, Sequence) else ():
            target = entries(item).get("target") if isinstance(item, MappingNode) else item
            text = target.text if isinstance(target, Scalar) else ""
            port = normal(text).partition("/")[0].rpartition(":")[2].partition("-")[0]
            if port.isdecimal():
                found.append(int(port))
    return found
