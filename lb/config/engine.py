"""Deployed apps: how the engine service builds and runs them, and what an environment with `deploy: true` may say.

This file knows the keys under `engine` and those of an environment that belong to `deploy`. It must not know what a
deploy is: that is lb/apps.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field

from lb.config import units
from lb.config.base import Section
from lb.config.fields import (
    File,
    Off,
    SecondsOrOff,
    Switch,
    Written,
    choice,
    count,
    one_or_more,
    seconds,
    size,
    spelled,
)
from lb.config.problems import quoted
from lb.config.units import BadValueError, describe

_DAY = 86400.0
_PORTS_PATTERN = r"[0-9]{1,5} ?- ?[0-9]{1,5}"
_PORTS = re.compile(r"([0-9]{1,5}) ?- ?([0-9]{1,5})", re.ASCII)
_CPUS = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
_MOST_CPUS = 1024.0
_ZONES = {"CN": "Asia/Shanghai", "US": "UTC"}


class PortRange(Section):
    """Ports from `first` to `last`, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


def _ports(value: object) -> object:
    if isinstance(value, PortRange):
        return value
    found = _PORTS.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise BadValueError(f"{describe(value)} is not a range of ports", "write the first and the last: 20000-29999")
    first, last = int(found[1]), int(found[2])
    if not 1024 <= first <= last <= 65535:
        raise BadValueError(
            f"{quoted(str(value))} is out of range", "write ports from 1024 to 65535, the lower one first"
        )
    return PortRange(first=first, last=last)


def _cpus(value: object) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    text = str(value).strip() if is_number or isinstance(value, str) else ""
    if _CPUS.fullmatch(text) is None or not 0.01 <= float(text) <= _MOST_CPUS:
        raise BadValueError(f"{describe(value)} is not a number of CPUs", "write a number, such as 0.5 or 2")
    return float(text)


def _words(value: object) -> str:
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not text or not text.isprintable() or len(text) > 200:
        raise BadValueError(f"{describe(value)} is not possible here")
    return text


def _timezone(value: object) -> str:
    name = _words(value)
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadValueError(f"{quoted(name)} is not a time zone", "write a name such as Asia/Shanghai or UTC") from None
    return name


def _server(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or not text.isascii() or " " in text:
        raise BadValueError(f"{describe(value)} is not a URL", "write one such as https://api.example.com")
    return text


def _mirror(value: object) -> str:
    if units.is_off(value):
        return "off"
    text = _words(value)
    if not text.startswith(("file:///", "https://", "http://")):
        raise BadValueError(f"{quoted(text)} is not a URL", "write file:///srv/pythons, or https://…; or off")
    return text


def _rate(value: object) -> int:
    """Lines a minute; written as a rate, since that is what it is."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    lines, each = units.parse_rate(value)
    if each != 60.0:
        raise BadValueError(f"{describe(value)} is not a rate of lines a minute", "write 600/m")
    return lines


def _path_alone(value: object) -> str:
    if not isinstance(value, str) or not value.startswith("/") or not value.isascii() or set(" ?#") & set(value):
        raise BadValueError(f"{describe(value)} is not a path", "write one without a query: /robots.txt")
    return str(value)


_size, _count = size, count  # keys of these names hide them where the sections are defined
_Words = Annotated[str, BeforeValidator(_words, json_schema_input_type=Written)]
_Cpus = Annotated[
    float,
    BeforeValidator(_cpus, json_schema_input_type=Annotated[float, Field(gt=0)] | spelled(r"[0-9]+(\.[0-9]+)?")),
]
_Path = Annotated[str, BeforeValidator(_path_alone, json_schema_input_type=str)]


class BuildBounds(Section):
    """What a build may use."""

    cpu_time: Annotated[float, seconds(1.0, _DAY)] = Field(
        default=1800.0, description="CPU time of a build, all of its processes together."
    )
    timeout: Annotated[float, seconds(1.0, _DAY)] = Field(
        default=1800.0, description="Time that a build may take by the clock."
    )
    memory: Annotated[int, _size(1 << 50, 1 << 20)] = Field(default=4 << 30, description="Memory of a build, in bytes.")
    cpus: _Cpus = Field(default=2.0, description="CPUs that a build may use at once.")


class PublicAddresses(Section):
    """The machine's addresses as the internet sees them, where they cannot be found out here."""

    inbound: Annotated[tuple[_Words, ...], one_or_more(_Words)] = Field(
        default=(), description="Where requests arrive; without it what the domains resolve to, and the listeners."
    )
    outbound: Annotated[tuple[_Words, ...], one_or_more(_Words)] = Field(
        default=(), description="Where apps' own connections come from; without it the default route's addresses."
    )


class EngineSettings(Section):
    """The engine service, which builds and runs deployed apps."""

    directory: File | None = Field(
        default=None,
        description="Where releases, state and logs are kept; without it /var/lib/lb-engine for root, else "
        "~/.local/share/lb. It does not change by a reload.",
    )
    start: Switch = Field(
        default=True,
        description="`lb serve` starts the engine if none runs, and again after it died; not under systemd.",
    )
    region: _Words = Field(default="CN", description="LEANCLOUD_REGION of the apps: CN or US.")
    timezone: Annotated[str, BeforeValidator(_timezone, json_schema_input_type=str)] | None = Field(
        default=None, description="Time zone of the apps and of releases' names; without it that of the region."
    )
    api_server: Annotated[str, BeforeValidator(_server, json_schema_input_type=str)] | None = Field(
        default=None, description="LEANCLOUD_API_SERVER of the apps; empty without it."
    )
    isolation: Annotated[Literal["auto", "systemd", "bwrap", "none"], choice("auto", "systemd", "bwrap", "none")] = (
        Field(
            default="auto",
            description="What stands between an app and the machine; auto takes the best that this machine can do. "
            "It does not change by a reload.",
        )
    )
    installer: Annotated[Literal["pip", "uv"], choice("pip", "uv")] = Field(
        default="pip", description="What installs requirements.txt: pip or uv."
    )
    pythons: Annotated[tuple[_Words, ...], one_or_more(_Words)] = Field(
        default=(), description="Further Python interpreters, as paths with wildcards: /opt/python/*/bin/python3."
    )
    python_mirror: Annotated[str, BeforeValidator(_mirror, json_schema_input_type=str | Off)] | None = Field(
        default=None,
        description="Where uv gets Pythons that are not installed; off: only installed ones are used.",
    )
    ports: Annotated[PortRange, BeforeValidator(_ports, json_schema_input_type=spelled(_PORTS_PATTERN))] = Field(
        default=PortRange(first=20000, last=29999), description="Ports for apps with a server of their own."
    )
    build: BuildBounds = Field(default=BuildBounds(), description="What a build may use.")
    keep_releases: Annotated[int, _count(1000)] = Field(
        default=10, description="Complete releases of an app that are kept for a roll back."
    )
    apt: Switch = Field(default=False, description="true: systemDependencies are installed with apt, which needs root.")
    addresses: PublicAddresses = Field(
        default=PublicAddresses(), description="The machine's addresses for `lb apps info`, where it is behind NAT."
    )

    @property
    def zone(self) -> str:
        """The time zone that holds."""
        return self.timezone or _ZONES.get(self.region, "UTC")


class AppLogSettings(Section):
    """What is kept of an app's output."""

    line: Annotated[int, _count(1_000_000)] = Field(
        default=4096, description="Longest line, in characters; the rest of it is dropped."
    )
    rate: Annotated[int, BeforeValidator(_rate, json_schema_input_type=spelled(units.RATE_PATTERN))] = Field(
        default=600, description="Lines a minute from one instance, such as 600/m; more are dropped and counted."
    )
    keep: Annotated[float, seconds(60.0, 366 * _DAY)] = Field(default=7 * _DAY, description="How long lines are kept.")
    size: Annotated[int, _size(1 << 50, 1 << 16)] = Field(
        default=100 << 20, description="Bytes of an environment's logs; the oldest go first."
    )


def _optional(**about: Any) -> Any:
    return Field(default=None, **about)


class DeploySettings(Section):
    """The keys of an environment whose instances the engine runs."""

    deploy: Switch = Field(
        default=False, description="true: the engine runs what `lb deploy` hands over; instead of instances."
    )
    count: Annotated[int, _count(100)] = Field(default=1, description="Instances of a deployed app.")
    memory: Annotated[int, _size(1 << 50, 16 << 20)] | None = _optional(
        description="Memory of each instance: 512M; beyond it the instance is restarted. Without it there is no bound."
    )
    cpus: _Cpus | None = _optional(description="CPUs of each instance: 0.5, 2. Without it there is no bound.")
    quota: Annotated[int, _size(1 << 50, 1 << 20)] = Field(
        default=1 << 30, description="Files of each instance in its home directory and /tmp together."
    )
    startup_timeout: Annotated[float, seconds(15.0, 120.0)] = Field(
        default=30.0,
        description="For a new instance to pass its start check; 15s to 120s. startupTimeout of leanengine.yaml wins.",
    )
    drain: Annotated[float, seconds(30.0, 30 * _DAY)] = Field(
        default=30.0, description="What an instance of the version before may take to end its requests; at least 30s."
    )
    stop_timeout: Annotated[float, seconds(10.0, 3600.0)] = Field(
        default=10.0, description="After SIGTERM; then what is left of the instance is killed; at least 10s."
    )
    logs: AppLogSettings = Field(default=AppLogSettings(), description="What is kept of the output of instances.")
    network: Annotated[Literal["host", "private"], choice("host", "private")] = Field(
        default="host", description="private: each instance has a network of its own, and may listen on port 3000."
    )
    sleep: SecondsOrOff = Field(
        default=None,
        description="After so long without a request all instances end, until the next request wakes them; off: never.",
    )
    daily_limit: SecondsOrOff = Field(
        default=None,
        description="Having run for so long within 24 hours it sleeps, and answers 503 until it may run again; off: "
        "never.",
    )
    wake_timeout: Annotated[float, seconds(1.0, 600.0)] = Field(
        default=30.0, description="A request that wakes the app waits so long; beyond it 503."
    )
    no_wake: Annotated[tuple[_Path, ...], one_or_more(_Path)] = Field(
        default=("/robots.txt",),
        description="Paths that neither wake the app nor keep it awake; they get 503 while it sleeps.",
    )
    functions_mode: Annotated[Literal["auto", "strict", "disabled"], choice("auto", "strict", "disabled")] = Field(
        default="auto",
        description="strict: an instance without the engine SDK's functions has not started; disabled: they are not "
        "asked for. functionsMode of leanengine.yaml wins.",
    )


def refused_change(before: EngineSettings, after: EngineSettings) -> str:
    """Why a running engine cannot follow this change; "" if it can."""
    for key in ("directory", "isolation"):
        if getattr(before, key) != getattr(after, key):
            return f"engine.{key} does not change by a reload: restart the engine (lb engine stop, lb engine start)"
    return ""
