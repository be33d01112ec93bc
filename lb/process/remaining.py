"""What is still open in an ending worker, counted by kind and app. The count walks the connections, and only while the
worker drains or retires, so requests cost nothing for it.

This file knows the kinds and their text form for the supervisor. A connection's handler knows what it is doing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

WEBSOCKET = "WebSocket"
TUNNEL = "tunnel"  # after an upgrade to any other protocol
EVENT_STREAM = "event stream"
DOWNLOAD = "download"  # a response has begun
UPLOAD = "upload"  # the request's body is still arriving
REQUEST = "request"  # no response so far
CONNECTION = "connection"  # no request: idle, or closing
OTHER = "other"  # more apps than are named

_KINDS = (WEBSOCKET, TUNNEL, EVENT_STREAM, DOWNLOAD, UPLOAD, REQUEST, CONNECTION, OTHER)
_PLURALS = {OTHER: "others"}
_MOST = 24  # shares in a line between processes, which must stay short
_MOST_SHOWN = 8  # apps in a log line


class Share(NamedTuple):
    """The number of connections of one kind; `app` is empty if it is not known yet."""

    kind: str
    app: str
    environment: str
    connections: int


def count_shares(found: Iterable[tuple[str, bytes, bytes]]) -> list[Share]:
    """Counts (kind, app, environment), the most frequent first; those beyond a bound become one share, "other"."""
    counted = Counter(found).most_common()
    shares = [
        Share(kind, app.decode(), environment.decode(), number) for (kind, app, environment), number in counted[:_MOST]
    ]
    rest = sum(number for _, number in counted[_MOST:])
    return [*shares, Share(OTHER, "", "", rest)] if rest else shares


def total(shares: Iterable[Share]) -> list[Share]:
    """The shares of several workers as one list."""
    sums: Counter[tuple[str, str, str]] = Counter()
    for kind, app, environment, number in shares:
        sums[kind, app, environment] += number
    return [Share(*key, number) for key, number in sums.most_common()]


def dump(shares: Iterable[Share]) -> str:
    """One line of text, without runs of blanks."""
    return json.dumps(list(shares), separators=(",", ":"))


def load(text: str) -> list[Share]:
    """What `dump` wrote; empty for anything else."""
    try:
        return [Share(str(kind), str(app), str(of), int(number)) for kind, app, of, number in json.loads(text)]
    except (ValueError, TypeError):
        return []


def in_words(shares: Iterable[Share]) -> str:
    """`1 WebSocket, 2 downloads (api); 1 upload (shop, staging)`; "" if nothing is open."""
    groups: dict[tuple[str, str], Counter[str]] = {}
    for kind, app, environment, number in shares:
        groups.setdefault((app, environment), Counter())[kind] += number
    texts = list(_groups(groups))
    more = len(texts) - _MOST_SHOWN
    return "; ".join([*texts[:_MOST_SHOWN], f"and {more} more apps"] if more > 0 else texts)


def _groups(groups: dict[tuple[str, str], Counter[str]]) -> Iterator[str]:
    for (app, environment), kinds in groups.items():
        words = ", ".join(_kind_in_words(kind, kinds[kind]) for kind in _KINDS if kinds[kind])
        if not app:
            yield words
        else:
            yield f"{words} ({app})" if environment == "production" else f"{words} ({app}, {environment})"


def _kind_in_words(kind: str, number: int) -> str:
    return f"{number} {kind if number == 1 else _PLURALS.get(kind, kind + 's')}"
