"""How a release is started: what the project asks for, as the engine keeps it with the release.

Plain data, and the same in every release's meta.json. It must not know how a server is started.
"""

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
    """`command` (shell syntax) is set for COMMAND; `module` and `server` for the two others.

    `module` may be dotted (`mysite.wsgi` of a Django project); the app in it is always named `application`.
    `startup_timeout` is None where the project does not say, `functions_mode` "" or "strict" or "disabled". `release`
    is a command that runs once before the instances start; `workers` are names and commands of processes without a
    port.
    """

    serving: Serving
    command: str | None = None
    module: str = ""
    server: str = ""
    startup_timeout: float | None = None
    functions_mode: str = ""
    release: str | None = None
    workers: Mapping[str, str] = field(default_factory=dict)

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
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> StartPlan:
        """The plan that `to_json` wrote; keys that a newer lb wrote are left out. Raises ValueError, KeyError."""
        known = {key: value[key] for key in cls.__dataclass_fields__ if key in value}
        return cls(**{**known, "serving": Serving(value["serving"])})
