"""What a deploy says while it works: kept from its beginning, so that whoever joins later hears all of it.

Events are the JSON objects of the engine's API (api.py lists them). This file keeps and hands on; it knows no deploy.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

_KEPT = 20_000  # events; a build that says more loses what is in the middle for those who come later


class Progress:
    """The events of one deploy."""

    def __init__(self) -> None:
        self._events: list[dict[str, Any]] = []
        self._news = asyncio.Event()
        self.result: dict[str, Any] | None = None

    def step(self, text: str) -> None:
        """The next large step: `-----> Building`."""
        self._add({"event": "step", "text": text})

    def line(self, text: str) -> None:
        """A line below a step."""
        self._add({"event": "line", "text": text})

    def ask(self, what: str) -> None:
        """Something is wanted of the one who asked for this: the source."""
        self._add({"event": "send", "what": what})

    def finish(self, result: dict[str, Any]) -> None:
        """Nothing comes after it."""
        self.result = result
        self._add({"event": "result", **result})

    def _add(self, event: dict[str, Any]) -> None:
        if len(self._events) < _KEPT or event["event"] != "line":
            self._events.append(event)
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def follow(self) -> AsyncIterator[dict[str, Any]]:
        """All events, until the result."""
        at = 0
        while True:
            news = self._news
            while at < len(self._events):
                yield self._events[at]
                at += 1
            if self.result is not None:
                return
            await news.wait()
