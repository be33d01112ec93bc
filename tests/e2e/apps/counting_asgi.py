"""Counts how often it was sent each body: a duplicate cannot hide."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

_seen: Counter[str] = Counter()


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    if scope["type"] != "http":
        return
    answer, more = b"", True
    while more:
        message = await receive()
        answer += message.get("body", b"")
        more = message.get("more_body", False)
    if scope["method"] == "POST":
        _seen[answer.decode()] += 1
    else:
        answer = json.dumps(_seen).encode()
    fields = [(b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": answer})
