"""Which requests bring a user and a password."""

from __future__ import annotations

from base64 import b64encode

import pytest

from lb.http.basic_credentials import basic_credentials

PAIR = b64encode(b"alice:se:cret")


def kept(*lines: bytes) -> bytes:
    return b"\r\n".join((b"GET / HTTP/1.1", b"Host: a.example", *lines, b""))


@pytest.mark.parametrize(
    "line", [b"Authorization: Basic " + PAIR, b"authorization:\tbASIC   " + PAIR + b" ", b"AUTHORIZATION:basic " + PAIR]
)
def test_a_user_and_a_password_are_found(line: bytes) -> None:
    assert basic_credentials(kept(line)) == (b"alice", b"se:cret")


def test_bytes_beyond_ascii_stay_as_they_are() -> None:
    assert basic_credentials(kept(b"Authorization: Basic " + b64encode("ä:ß\0".encode()))) == (
        "ä".encode(),
        "ß\0".encode(),
    )
    assert basic_credentials(kept(b"Authorization: Basic " + b64encode(b":"))) == (b"", b"")


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (b"Authorization: Basic",),
        (b"Authorization: Basic ",),
        (b"Authorization: Bearer " + PAIR,),
        (b"Authorization: Basic x" + PAIR,),
        (b"Authorization: Basic " + PAIR.rstrip(b"="),),
        (b"Authorization: Basic " + b64encode(b"alice"),),
        (b"Authorization: Basic " + PAIR + b", Basic " + PAIR,),
        (b"Authorization: Basic " + PAIR, b"Authorization: Basic " + PAIR),
        (b"Authorization: Basic " + PAIR, b"authorization: Bearer x"),
        (b"X-Authorization: Basic " + PAIR,),
    ],
)
def test_anything_else_is_none(lines: tuple[bytes, ...]) -> None:
    assert basic_credentials(kept(*lines)) is None
