"""The environment of an app: what the platform says (E1, E2), what the user set (E3), and nothing else.

It is made from nothing: no variable of the engine, of its shell or of its unit reaches an app.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lb.apps.project.start import Serving
from lb.apps.run.order import InstanceOrder

SOCKET_PORT = 3000  # what apps on a Unix socket read as their port: both boilerplates need a number
_MEMORY_OF_A_WORKER = 256 << 20
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_PLATFORM = ("APP_ID", "APP_KEY", "APP_MASTER_KEY", "APP_HOOK_KEY", "APP_ENV", "APP_PORT", "APP_GROUP", "APP_INSTANCE")
_ALIASED = (*_PLATFORM, "API_SERVER", "REGION", "VERSION_TAG", "AVAILABLE_CPUS")  # also as LC_…, which is deprecated
_RESERVED = frozenset({"PORT", "HOME", "TMPDIR", "VIRTUAL_ENV", "PWD"})
_PREFIXES = ("LEANCLOUD_", "LB_")
SECRET = frozenset({"APP_KEY", "APP_MASTER_KEY", "APP_HOOK_KEY"})


@dataclass(frozen=True, slots=True)
class AppPlaces:
    """Where the app finds itself: its own directories as it sees them, and its port (a number in any case)."""

    home: str
    tmp: str
    port: int


def name_problem(name: str) -> str:
    """Why a custom variable may not have this name, in a sentence; "" if it may (E3)."""
    if not _NAME.fullmatch(name):
        return (
            f"{name!r} is not a name for a variable: it begins with a letter, and has letters, digits and _ after it."
        )
    if is_reserved(name):
        return f"{name} is set by the platform and cannot be overridden."
    return ""


def value_problem(name: str, value: str) -> str:
    """Why a custom variable may not have this value; "" if it may."""
    return f"{name} has a NUL in its value, which no environment can hold." if "\0" in value else ""


def is_reserved(name: str) -> bool:
    return name in _RESERVED or name.startswith(_PREFIXES) or (name.startswith("LC_") and name[3:] in _ALIASED)


def available_cpus(cpus: float | None) -> int:
    """Whole CPUs for `--process=${LEANCLOUD_AVAILABLE_CPUS}`: at least one."""
    return max(1, math.ceil(cpus if cpus is not None else len(os.sched_getaffinity(0))))


def workers(cpus: float | None, memory: int | None) -> int:
    """WEB_CONCURRENCY: two a CPU and one more, as many as the memory bears."""
    by_cpu = 2 * available_cpus(cpus) + 1
    return max(1, min(by_cpu, memory // _MEMORY_OF_A_WORKER)) if memory else by_cpu


def environment(order: InstanceOrder, places: AppPlaces, mark: str = "") -> dict[str, str]:
    """All that the app gets; `mark` is by which its processes are known (LB_INSTANCE)."""
    defaults = {
        # An ASGI app is one process unless it is asked for: what it keeps in memory (rooms, connections) is one then.
        "WEB_CONCURRENCY": str(1 if order.start.serving is Serving.ASGI else workers(order.cpus, order.memory)),
        "FORWARDED_ALLOW_IPS": "*",
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        "LANG": "C.UTF-8",
        "TZ": order.platform.timezone,
        "PATH": f"{order.venv / 'bin'}:{_SYSTEM_PATH}",
    }
    custom = {name: value for name, value in order.variables.items() if not is_reserved(name)}
    fixed = {
        "PORT": str(places.port),
        "HOME": places.home,
        "TMPDIR": places.tmp,
        "VIRTUAL_ENV": str(order.venv),
        **platform(order, places.port),
    }
    if mark:
        fixed["LB_INSTANCE"] = mark
    return {**defaults, **custom, **fixed}


def platform(order: InstanceOrder, port: int) -> Mapping[str, str]:
    """LEANCLOUD_… and the same as LC_…; a variable without a value is there and empty."""
    known = order.platform
    values = {
        "APP_ID": known.app_id,
        "APP_KEY": known.app_key,
        "APP_MASTER_KEY": known.master_key,
        "APP_HOOK_KEY": known.hook_key,
        "APP_ENV": known.environment,
        "APP_PORT": str(port),
        "APP_GROUP": known.group,
        "APP_INSTANCE": order.name,
        "API_SERVER": known.api_server,
        "REGION": known.region,
        "VERSION_TAG": known.version_tag,
        "AVAILABLE_CPUS": str(available_cpus(order.cpus)),
    }
    return under_both_prefixes(values)


def under_both_prefixes(values: Mapping[str, str]) -> dict[str, str]:
    """Every variable of the platform as LEANCLOUD_… and LC_…: empty where `values` has none."""
    return {f"{prefix}_{name}": values.get(name, "") for prefix in ("LEANCLOUD", "LC") for name in _ALIASED}


def places_in(directory: Path, port: int) -> AppPlaces:
    """Without a sandbox: the two directories of the instance's own."""
    return AppPlaces(str(directory / "home"), str(directory / "tmp"), port)
