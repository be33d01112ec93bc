"""What a balancer goes by: a part of the request, or the client's address."""

from __future__ import annotations

import pytest

from lb.http.head import Limits, RequestHead
from lb.http.scan import scan_request
from lb.routing.request_key import HashKey, StickyKey

CLIENT = b"192.0.2.1"


def read(*lines: str) -> RequestHead:
    head = scan_request("\r\n".join(("GET /a?b HTTP/1.1", "Host: x", *lines, "", "")).encode(), Limits())
    assert head is not None
    return head


@pytest.mark.parametrize(
    ("key", "lines", "expected"),
    [
        (HashKey("client_address"), (), CLIENT),
        (HashKey("uri"), (), b"/a?b"),
        (HashKey("header", b"x-user"), ("X-User:  ann ",), b"ann"),
        (HashKey("header", b"x-user"), ("X-Users: ann",), CLIENT),
        (HashKey("cookie", b"id"), ("Cookie: a=1; id=7; id=8",), b"7"),
        (HashKey("cookie", b"id"), ("Cookie: xid=7",), CLIENT),
        (HashKey("cookie", b"id"), (), CLIENT),
        (StickyKey(b"lb"), ("Cookie: a=1; lb=token",), b"token"),
        (StickyKey(b"lb"), ("Cookie: a=1",), None),
    ],
)
def test_the_key_of_a_request(key: HashKey | StickyKey, lines: tuple[str, ...], expected: bytes | None) -> None:
    # spec: F1
    assert key(read(*lines), CLIENT) == expected
