"""How a release is started: what the project asks for, as the engine keeps it with the release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Serving(StrEnum):
    """The three ways in which an app serves HTTP."""

    WSGI = "wsgi"
    ASGI = "asgi"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class StartPlan:
    """`command` (shell syntax) is set for COMMAND, `module` for the two others."""

    serving: Serving
    command: str | None = None
    module: str = ""
    server: str = ""
    startup_timeout: float | None = None
    functions_mode: str = ""
    release: str | None = None
    workers: Mapping[str, str] = field(default_factory=dict)
    static: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "serving": self.serving.value,
            "command": self.command,
            "module": self.module,
            "server": self.server,
            "startup_timeout": self.startup_timeout,
            "functions_mode": self.functions_mode,
            "release": self.release,
            "workers": dict(self.workers),
            "static": dict(self.static),
        }
