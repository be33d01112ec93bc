"""What a client says first: its name and protocols, before anything is decided."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from lb.tls.handshake.client_hello import ClientHellos
from tests.tls.certificate_files import issue

Told = list[tuple[str | None, bytes]]


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    files = issue(trustme.CA(), tmp_path, "a.example")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(files.cert, files.key)
    return made


def hellos(
    context: ssl.SSLContext, told: Told, *, hold: bool = False, refused: list[int] | None = None
) -> ClientHellos:
    def tell(_connection: int, name: str | None, protocols: bytes) -> bool:
        told.append((name, protocols))
        return hold

    made = ClientHellos(context, tell, lambda: refused.append(1) if refused is not None else None)
    if not made.can_listen:
        pytest.skip("this Python's OpenSSL cannot be reached")
    return made


def greet(context: ssl.SSLContext, name: str | None, *protocols: str) -> ssl.SSLObject:
    """The server's side of a handshake that has just begun."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    if protocols:
        client.set_alpn_protocols(protocols)
    out = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        client.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    incoming = ssl.MemoryBIO()
    incoming.write(out.read())
    return context.wrap_bio(incoming, ssl.MemoryBIO(), server_side=True)


def step(side: ssl.SSLObject) -> None:
    with pytest.raises(ssl.SSLWantReadError):
        side.do_handshake()


# spec: T4
def test_name_and_protocols_are_told(context: ssl.SSLContext) -> None:
    told: Told = []
    made = hellos(context, told)
    made.listen(True)
    step(greet(context, "A.Example", "h2", "http/1.1"))
    assert told == [("a.example", b"\x00\x0c\x02h2\x08http/1.1")]


def test_nobody_is_told_who_does_not_want_to_know(context: ssl.SSLContext) -> None:
    told: Told = []
    made = hellos(context, told)
    step(greet(context, "a.example"))
    made.listen(True)
    made.listen(False)
    step(greet(context, "a.example"))
    assert told == []


def test_where_one_list_is_of_interest_the_others_are_not_read(context: ssl.SSLContext) -> None:
    told: Told = []
    hellos(context, told).listen(True, b"\x00\x0b\x0aacme-tls/1")
    step(greet(context, "a.example", "http/1.1"))
    step(greet(context, "a.example", "acme-tls/1"))
    assert told == [(None, b""), ("a.example", b"\x00\x0b\x0aacme-tls/1")]


# spec: T7
def test_a_handshake_can_be_held(context: ssl.SSLContext) -> None:
    told: Told = []
    hellos(context, told, hold=True).listen(True)
    side = greet(context, "a.example")
    for _ in range(2):
        with pytest.raises(ssl.SSLError) as caught:
            side.do_handshake()
        assert not isinstance(caught.value, ssl.SSLWantReadError)
    assert len(told) == 2  # whoever tries it once more asks again
