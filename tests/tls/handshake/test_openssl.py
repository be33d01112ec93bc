"""The OpenSSL functions that Python's `ssl` does not offer, called in the library that it has loaded."""

from __future__ import annotations

import ssl

import pytest

from lb.tls.handshake import openssl
from lb.tls.handshake.openssl import OpenSsl, context_pointer, reach


@pytest.fixture
def library() -> OpenSsl:
    found = reach()
    if found is None:
        pytest.skip("this Python's OpenSSL cannot be reached")
    return found


# spec: T4
def test_a_contexts_pointer_is_that_of_its_connections(library: OpenSsl) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    assert context_pointer(context) == context_pointer(context) != context_pointer(other)
    assert library.SSL_CTX_get_timeout(context_pointer(context)) > 0


def test_what_the_library_refuses_leaves_no_error_for_the_next_one(library: OpenSsl) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    assert library.ctrl(context, 9999, 0, None) <= 0
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)


def test_only_what_is_declared_is_there(library: OpenSsl) -> None:
    with pytest.raises(AttributeError):
        library.SSL_shutdown  # noqa: B018


def test_a_layout_that_is_another_is_not_believed(monkeypatch: pytest.MonkeyPatch, library: OpenSsl) -> None:
    monkeypatch.setattr(openssl, "_word", lambda _thing, _place: 1)
    assert not openssl._layout_holds(library)
