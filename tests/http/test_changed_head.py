"""A head with other fields: everything else about the request stays."""

from __future__ import annotations

import pytest

from lb.http.changed_head import with_fields, without_lookalikes
from lb.http.head import Limits, RequestHead
from lb.http.scan import scan_request

TEXT = (
    b"POST /a%2Fb?c HTTP/1.1\r\nHost: a.example\r\nRemote-User: x\r\nREMOTE_USER: y\r\nUser-Agent: agent\r\n"
    b"Accept: text/html\r\nAccept-Encoding: br\r\nReferer: r\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
    b"X-Request-Id: abcdef0123456789\r\nVia: 1.1 lb\r\nX-Forwarded-For: 192.0.2.1\r\nUpgrade: h2c\r\n"
    b"Connection: upgrade\r\nRange: bytes=0-1\r\n\r\n"
)
PLACES = ("accept", "encoding", "agent", "referer")


def scanned(text: bytes) -> RequestHead:
    head = scan_request(text, Limits())
    assert head is not None
    return head


def values(head: RequestHead) -> dict[str, object]:
    """All that a head says, positions apart."""
    names = [name for name in dir(head) if not name.startswith("_") and not callable(getattr(head, name))]
    places = {f"{place}_{part}" for place in PLACES for part in ("at", "size")}
    return {name: getattr(head, name) for name in names if name not in places and name != "kept"}


@pytest.mark.parametrize(
    "text", [TEXT, b"GET / HTTP/1.0\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"]
)
def test_all_but_the_fields_stays(text: bytes) -> None:
    head = scanned(text)
    before = values(head)
    changed = with_fields(head, frozenset({b"remote-user"}), b"Remote-User: z\r\n")
    assert values(changed) == before == values(head)
    assert changed.kept.startswith(head.kept.partition(b"\r\n")[0])
    assert changed.kept.endswith(b"Remote-User: z\r\n")
    assert changed.kept.count(b"emote") == 1
    assert b"REMOTE_USER" not in changed.kept


def test_fields_are_found_where_they_are_now() -> None:
    changed = with_fields(scanned(TEXT), frozenset({b"remote-user"}), b"")
    assert (changed.user_agent(), changed.accept(), changed.accept_encoding(), changed.referer()) == (
        b"agent",
        b"text/html",
        b"br",
        b"r",
    )


def test_names_are_alike_whatever_joins_their_words() -> None:
    kept = b"GET / HTTP/1.1\r\nX_A-B: 1\r\nX-A_B: 2\r\nx-a-b: 3\r\nX-AB: 4\r\n"
    assert without_lookalikes(kept, frozenset({b"x-a_b"})) == b"GET / HTTP/1.1\r\nX-AB: 4\r\n"
