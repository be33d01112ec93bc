"""What the door has said last about each environment: what is open, how idle it is, which generation it follows.

Where no door is connected nothing is known, which is something else than nothing being open. This file remembers and
adds up. It decides nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from lb.apps.service.placements import Activity, Applied, InstanceFigures


@dataclass(slots=True)
class _Seen:
    applied: int = 0
    activity: Activity | None = None
    at: float = 0.0
    figures: dict[str, InstanceFigures] = field(default_factory=dict)


class DoorFigures:
    """Of all environments, by app and environment."""

    def __init__(self) -> None:
        self._doors = 0
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._news = asyncio.Event()

    @property
    def is_connected(self) -> bool:
        return self._doors > 0

    def connected(self) -> None:
        self._doors += 1

    def lost(self) -> None:
        """A door went away: what it said is of the past."""
        self._doors -= 1
        if not self._doors:
            self._seen.clear()
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def heard(self, event: Activity | Applied, now: float) -> None:
        """`now` is in seconds since boot."""
        seen = self._seen.setdefault((event.app, event.environment), _Seen())
        if isinstance(event, Applied):
            seen.applied = max(seen.applied, event.generation)
            self._tell()
        else:
            seen.activity, seen.at = event, now
            seen.figures.update(event.instances)

    def follows(self, app: str, environment: str, generation: int) -> bool:
        """Whether the door's workers follow this generation of an environment."""
        seen = self._seen.get((app, environment))
        return seen is not None and seen.applied >= generation

    async def wait_followed(self, app: str, environment: str, generation: int) -> None:
        """Returns once `follows` is true, or no door is connected."""
        while self.is_connected and not self.follows(app, environment, generation):
            await self._news.wait()

    def busy(self, app: str, environment: str, identifier: str, generation: int) -> bool | None:
        """Whether anything is open at an instance; None where no door says so, or some of its workers do not follow
        `generation` yet: what is idle may still get a request from them.
        """
        seen = self._seen.get((app, environment))
        if seen is None or seen.activity is None or seen.applied < generation:
            return None
        figures = seen.activity.instances.get(identifier)
        return figures is not None and figures.is_busy

    def any_busy(self, app: str, environment: str) -> bool:
        seen = self._seen.get((app, environment))
        return (
            seen is not None
            and seen.activity is not None
            and any(one.is_busy for one in seen.activity.instances.values())
        )

    def of(self, app: str, environment: str, identifier: str) -> InstanceFigures:
        """An instance's totals, as far as they were said."""
        seen = self._seen.get((app, environment))
        return seen.figures.get(identifier, InstanceFigures()) if seen is not None else InstanceFigures()

    def idle(self, app: str, environment: str) -> float | None:
        seen = self._seen.get((app, environment))
        return seen.activity.idle if seen is not None and seen.activity is not None else None
