"""Detects an app that redirects a URL to itself over and over: what browsers call too many redirects.

The usual reason is that TLS ends here and the app does not trust X-Forwarded-Proto: it takes each request for plain
HTTP, and redirects it to the very URL that the client asked for. One such redirect means nothing (it may set a cookie
first); many within seconds do. This file knows URLs and counts, and sees redirects only.
"""

from __future__ import annotations

import logging

from lb.http.cookies import field_value
from lb.http.head import RequestHead, ResponseHead

log = logging.getLogger("lb.proxy")

_MANY = 5  # within this many seconds
_WINDOW = 10.0
_SILENCE = 600.0  # seconds between two lines about one environment
_PORTS = {b"http": b":80", b"https": b":443"}

Key = tuple[bytes, bytes]


def leads_to_itself(location: bytes, scheme: bytes, host: bytes, target: bytes) -> bool:
    """Whether following a redirect of `target` to `location` leads to the same request again."""
    if location.startswith(b"/") and not location.startswith(b"//"):
        return location == target
    start = scheme + b"://"
    if location[: len(start)].lower() != start:
        return False
    authority, slash, path = location[len(start) :].partition(b"/")
    port = _PORTS[scheme]
    return authority.lower().removesuffix(port) == host.lower().removesuffix(port) and (slash + path or b"/") == target


class RedirectLoops:
    """The redirect loops of one worker. `total` counts redirects of a URL to itself."""

    __slots__ = ("_begun", "_count", "_silent_until", "total")

    def __init__(self) -> None:
        self.total = 0
        self._begun: dict[Key, float] = {}
        self._count: dict[Key, int] = {}
        self._silent_until: dict[Key, float] = {}

    def look(self, key: Key, scheme: bytes, head: RequestHead, response: ResponseHead, now: float) -> None:
        """`key` is the app and its environment, `scheme` the one that the client used, `now` the time in seconds."""
        location = field_value(response.kept, b"location")
        if location is None or not leads_to_itself(location, scheme, head.host, head.target):
            return
        self.total += 1
        if now - self._begun.get(key, -_WINDOW) >= _WINDOW:
            self._begun[key], self._count[key] = now, 0
        self._count[key] += 1
        if self._count[key] >= _MANY and now >= self._silent_until.get(key, 0.0):
            self._silent_until[key] = now + _SILENCE
            _tell(key, scheme, head)


def _tell(key: Key, scheme: bytes, head: RequestHead) -> None:
    app, environment = (part.decode() for part in key)
    hint = ""
    if scheme == b"https":
        hint = (
            ". An app that redirects to HTTPS has to trust X-Forwarded-Proto from lb "
            "(Django: SECURE_PROXY_SSL_HEADER; Flask: ProxyFix)"
        )
    target = head.target[:200].decode("ascii", "backslashreplace")
    log.warning("%s %s redirects %s to itself, again and again: clients give up%s", app, environment, target, hint)
