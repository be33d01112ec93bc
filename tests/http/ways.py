"""One input read three ways: whole, in all its prefixes, and with more behind it (as h11's tests do)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lb.errors import ProxyError

TRAILING = (b"GET /second HTTP/1.1\r\nHost: b\r\n\r\n", b"\r\n\r\n", b"\x00\xff\n")

Scan = Callable[[bytes], Any]


def outcome(scan: Scan, data: bytes) -> Any:
    """What a scan gives: the head, None, or the code of its refusal."""
    try:
        return scan(data)
    except ProxyError as error:
        return error.cause.code


def values(head: Any) -> dict[str, Any]:
    """All that a head says, by name."""
    return {
        name: getattr(head, name)
        for name in dir(head)
        if not name.startswith("_") and not callable(getattr(head, name))
    }


def _sizes(length: int) -> range:
    """Every prefix of a short input, some hundred of a long one."""
    return range(0, length, 1 + length // 500)


def check_accepted(scan: Scan, data: bytes, expected: dict[str, Any]) -> None:
    """Every way of reading `data` gives a head with these values, and nothing before it is whole."""
    head = outcome(scan, data)
    assert not isinstance(head, str), f"refused: {head}"
    assert head is not None, "not taken for whole"
    got = values(head)
    assert {name: got[name] for name in expected} == expected
    for size in _sizes(head.length):
        assert outcome(scan, data[:size]) is None, f"decided after {size} bytes"
    for trailing in (data[head.length :], *TRAILING):
        assert values(outcome(scan, data[: head.length] + trailing)) == got


def check_refused(scan: Scan, data: bytes, cause: str) -> None:
    """Every way of reading `data` ends in this refusal, and no part of it is taken for anything else."""
    assert outcome(scan, data) == cause
    for size in _sizes(len(data)):
        assert outcome(scan, data[:size]) in (None, cause), f"after {size} bytes"
    for trailing in TRAILING:
        assert outcome(scan, data + trailing) == cause
