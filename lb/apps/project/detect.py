"""What kind of app a folder holds, and all that its files say about building and starting it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProjectDefaults:
    """What holds where the project does not say: `python` is the app's own default, such as "2.7" ("": the newest)."""

    python: str = ""
