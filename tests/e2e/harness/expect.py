"""Assertions that many tests share: an error reply of the front door, and its line in the access log."""

from __future__ import annotations

import re

from lb.errors import CAUSES
from tests.e2e.harness.door import Entry, FrontDoor
from tests.e2e.harness.wire import Response

_INTERNAL = re.compile(rb"127\.0\.0\.1|\[?::1\]?:|unix:|\.sock|Traceback|File \"")

_PAIR = re.compile(r'([a-z]+)=("[^"]*"|[!#$%&\'*+\-.^_`|~0-9A-Za-z]+)', re.IGNORECASE)


def proxy_error(response: Response) -> str:
    """The cause code that Proxy-Status names (RFC 9209)."""
    value = response.one("Proxy-Status").decode()
    match = re.match(r'lb\s*;\s*error=([a-z_]+)(\s*;\s*details="(?:[^"\\]|\\.)*")?$', value)
    assert match is not None, value
    return match[1]


def assert_error(response: Response, status: int, *causes: str) -> None:
    """A reply of our own: the status, one of the causes in Proxy-Status and in the page, and nothing internal in it."""
    assert response.status == status, (response.status, response.fields, response.body[:300])
    cause = proxy_error(response)
    assert cause in (causes or [code for code, known in CAUSES.items() if known.status == status])
    assert cause.encode() in response.body, response.body
    assert not _INTERNAL.search(response.body), response.body
    assert not _INTERNAL.search(response.one("Proxy-Status"))


def assert_logged(door: FrontDoor, status: int, cause: str | None, **wanted: object) -> Entry:
    """The access log has a line with these values."""
    return door.wait_log(status=status, cause=cause, **wanted)


def forwarded(value: str) -> dict[str, str]:
    """One element of Forwarded (RFC 7239), its quoted strings unquoted; AssertionError when the grammar is broken."""
    pairs = {}
    for part in value.split(";"):
        match = _PAIR.fullmatch(part.strip())
        assert match is not None, value
        pairs[match[1].lower()] = match[2].strip('"')
    return pairs
