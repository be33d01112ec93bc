"""What is open, in numbers and in words."""

from __future__ import annotations

from lb.process.remaining import (
    CONNECTION,
    DOWNLOAD,
    OTHER,
    UPLOAD,
    WEBSOCKET,
    Share,
    count_shares,
    dump,
    in_words,
    load,
)

_FOUND = [
    (WEBSOCKET, b"api", b"production"),
    (DOWNLOAD, b"api", b"production"),
    (DOWNLOAD, b"api", b"production"),
    (UPLOAD, b"shop", b"staging"),
    (CONNECTION, b"", b""),
]


def test_in_words() -> None:
    shares = count_shares(_FOUND)
    assert shares[0] == Share(DOWNLOAD, "api", "production", 2)
    assert in_words(shares) == "1 WebSocket, 2 downloads (api); 1 upload (shop, staging); 1 connection"
    assert in_words([]) == ""


def test_from_process_to_process() -> None:
    shares = count_shares(_FOUND)
    text = dump(shares)
    assert " ".join(text.split()) == text  # as the line between the two makes of it
    assert load(text) == shares
    assert load("not JSON") == load('[["a"]]') == load("7") == []


def test_the_line_stays_short_however_many_apps_there_are() -> None:
    longest = 63
    shares = count_shares([(WEBSOCKET, b"%0*d" % (longest, number), b"production") for number in range(1000)])
    assert sum(share.connections for share in shares) == 1000
    assert shares[-1].kind == OTHER
    assert len(dump(shares)) < 4096
    assert in_words(shares).endswith("more apps")
