"""A configuration of lb in the making: sites with rules and backends, each value with the lines that say it.

Readers of other languages fill a draft; `assemble` makes apps of it. A site is what other proxies call a server, a site
or a router's host; a rule says what becomes of some of its requests; a backend is a set of instances.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lb.importing.source_line import SourceLine

Settings = dict[str, Any]
"""Keys of lb → `Said`, a list of these, or further settings."""


@dataclass(frozen=True, slots=True)
class Said:
    """A value, and the lines of the imported file that say it; `note` follows them in the comment."""

    value: Any
    at: tuple[SourceLine, ...] = ()
    note: str = ""


def put(settings: Settings, path: Iterable[str], value: Any, *at: SourceLine, note: str = "") -> None:
    """Sets the value at `path`, making the mappings on the way."""
    *sections, last = path
    for section in sections:
        settings = settings.setdefault(section, {})
    settings[last] = Said(value, at, note)


def get(settings: Settings, *path: str) -> Said | None:
    """The value at `path`, if there is one."""
    found: Any = settings
    for key in path:
        if not isinstance(found, dict) or key not in found:
            return None
        found = found[key]
    return found if isinstance(found, Said) else None


def merge(settings: Settings, more: Settings) -> None:
    """Adds `more` to the settings; what they say already stays."""
    for key, value in more.items():
        mine = settings.get(key)
        if isinstance(mine, dict) and isinstance(value, dict):
            merge(mine, value)
        elif key not in settings:
            settings[key] = copied(value)


def copied(value: Any) -> Any:
    """Settings of their own with the same values."""
    return {key: copied(inner) for key, inner in value.items()} if isinstance(value, dict) else value


@dataclass(slots=True, eq=False)
class Backend:
    """Instances that serve, and the keys of their environment; `name` is what an app of them would be called."""

    name: str
    instances: list[Said]
    at: SourceLine
    settings: Settings = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DraftCondition:
    """Which requests: keys and values as in a route of lb."""

    path: str = "/"
    methods: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    queries: tuple[tuple[str, str], ...] = ()

    @property
    def is_everything(self) -> bool:
        return self.path in ("/", "/{rest}") and not self.has_more_than_path

    @property
    def has_more_than_path(self) -> bool:
        return bool(self.methods or self.headers or self.queries)


@dataclass(slots=True)
class Rule:
    """What becomes of the requests that fulfil a condition: settings of a route, and where they go."""

    condition: DraftCondition
    at: SourceLine
    backend: Backend | None = None
    settings: Settings = field(default_factory=dict)
    note: str = ""


@dataclass(slots=True)
class DraftDomain:
    """A name of a site, and the settings that it has by itself."""

    name: str
    at: tuple[SourceLine, ...]
    settings: Settings = field(default_factory=dict)


@dataclass(slots=True)
class Site:
    """Names, and what becomes of their requests: the rules in the order in which they are tried."""

    name: str
    at: SourceLine
    domains: list[DraftDomain] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    settings: Settings = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True)
class SideFile:
    """A file that the configuration needs, made of what the imported one says; `at` is the line that says it."""

    text: str
    at: SourceLine


@dataclass(slots=True)
class Draft:
    """All of it: what stands at the top of a file of lb, and the sites."""

    top: Settings = field(default_factory=dict)
    sites: list[Site] = field(default_factory=list)
    http: dict[str, tuple[SourceLine, ...]] = field(default_factory=dict)  # addresses to listen on
    https: dict[str, tuple[SourceLine, ...]] = field(default_factory=dict)
    files: dict[str, SideFile] = field(default_factory=dict)
    directory: str = ""  # where these files will be

    def listen(self, address: str, at: SourceLine, *, tls: bool) -> None:
        listeners = self.https if tls else self.http
        listeners[address] = (*listeners.get(address, ()), at)

    def file(self, name: str, lines: Iterable[str], at: SourceLine) -> str:
        """The name of a file with these lines; the same lines share one."""
        text = "".join(f"{line}\n" for line in lines)
        known = next((free for free, one in self.files.items() if one.text == text), None)
        if known is not None:
            return known
        name = f"{self.directory}{name}"
        free = name if name not in self.files else f"{name}-{len(self.files) + 1}"
        self.files[free] = SideFile(text, at)
        return free
