"""Projects, orders and instances for the tests: each on real forks, and ended with its test."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from lb.apps.project.start import Serving, StartPlan
from lb.apps.run import process_tree
from lb.apps.run.instance import LaunchedInstance, mark
from lb.apps.run.order import InstanceOrder, Isolation, PlatformVariables

T = TypeVar("T")
TAG = "20261130-091655"
VENV = Path(sys.prefix)
PLATFORM = PlatformVariables("id-1", "key-1", "master-1", "hook-1", "production", version_tag=TAG)


def project(tmp_path: Path, **files: str) -> Path:
    """A release's source with these files; `app_py` is `app.py`."""
    source = tmp_path / "release" / "source"
    source.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (source / name.replace("_py", ".py")).write_text(text)
    return source


def order(tmp_path: Path, start: StartPlan | str, **changes: Any) -> InstanceOrder:
    """An order for a command (in shell syntax) or a plan; without a sandbox unless `isolation` says so."""
    plan = StartPlan(Serving.COMMAND, command=start) if isinstance(start, str) else start
    source = project(tmp_path)
    given: dict[str, Any] = {
        "app": "shop",
        "environment": "production",
        "name": "web1",
        "release": source.parent,
        "project": source,
        "venv": VENV,
        "start": plan,
        "platform": PLATFORM,
        "log_dir": tmp_path / "logs",
        "isolation": Isolation.NONE,
        "stop_timeout": 5.0,
    }
    return InstanceOrder(**{**given, **changes})


def python(code: str) -> str:
    """A command that runs this code, which must not contain a single quote."""
    return f"{sys.executable} -c '{code}'"


def survivors(running: LaunchedInstance) -> list[int]:
    """The processes of an instance that are still there."""
    return [pid for pid in process_tree.marked(mark(running.facts)) if not process_tree.is_zombie(pid)]


RUNGS = [Isolation.NONE, Isolation.BWRAP]


def is_root() -> bool:
    return os.getuid() == 0


Predicate = Callable[[], T]
