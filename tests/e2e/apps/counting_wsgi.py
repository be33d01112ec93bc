"""Counts how often it was sent each body: a duplicate cannot hide."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

_seen: Counter[str] = Counter()
_lock = threading.Lock()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["REQUEST_METHOD"] == "POST":
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        with _lock:
            _seen[body.decode()] += 1
        answer = body
    else:
        answer = json.dumps(_seen).encode()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]
