"""The key-exchange groups, and the way to OpenSSL that sets them."""

from __future__ import annotations

import _ssl
import ctypes
import ssl
from pathlib import Path

import pytest
import trustme

from lb.tls.handshake import context_options, openssl
from lb.tls.handshake.contexts import Contexts
from tests.tls.certificate_files import issue
from tests.tls.handshakes import client_context, shake

GET_NEGOTIATED_GROUP = 134
X25519 = 1034  # OpenSSL's own number for it
X25519MLKEM768 = 0x1000000 | 0x11EC  # one that it knows by its number in TLS only


@pytest.fixture
def contexts(tmp_path: Path) -> Contexts:
    # RSA: for an ECDSA certificate, TLS 1.2 wants a client that knows the certificate's own curve, too.
    return Contexts([issue(trustme.CA(), tmp_path, "a.example", rsa_key=True)])


def negotiated_group(contexts: Contexts, context: ssl.SSLContext) -> int:
    server = shake(contexts, context, "a.example").server
    pointer = ctypes.c_void_p.from_address(id(server._sslobj) + object.__basicsize__ + 8)  # type: ignore[attr-defined]
    library = ctypes.CDLL(_ssl.__file__)
    library.SSL_ctrl.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p)
    return int(library.SSL_ctrl(pointer, GET_NEGOTIATED_GROUP, 0, None))


# spec: T4
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("group", "offered"), [("prime256v1", True), ("secp384r1", True), ("secp521r1", False), ("secp256k1", False)]
)
def test_groups_that_are_offered(contexts: Contexts, group: str, offered: bool, version: ssl.TLSVersion) -> None:
    context = client_context(None, version)
    context.set_ecdh_curve(group)
    if offered:
        shake(contexts, context, "a.example")
    else:
        with pytest.raises(ssl.SSLError, match=r"HANDSHAKE_FAILURE|NO_GROUPS|NO_SHARED|NO_SUITABLE"):
            shake(contexts, context, "a.example")


# spec: T4
def test_the_post_quantum_group_comes_first_where_there_is_one(contexts: Contexts) -> None:
    expected = X25519MLKEM768 if ssl.OPENSSL_VERSION_INFO >= (3, 5) else X25519
    assert negotiated_group(contexts, client_context(None, ssl.TLSVersion.TLSv1_3)) == expected


def test_openssl_is_reached_here() -> None:
    assert openssl.reach() is not None


@pytest.mark.parametrize("found", [None, ctypes.__file__])
def test_an_openssl_that_cannot_be_reached_is_done_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, found: str | None
) -> None:
    with monkeypatch.context() as patched:  # no longer than this: the first result is cached
        patched.setattr(_ssl, "__file__", found)
        unreached = openssl.reach.__wrapped__()
    assert unreached is None
    monkeypatch.setattr(context_options, "reach", lambda: unreached)
    shake(Contexts([issue(trustme.CA(), tmp_path, "a.example")]), client_context(), "a.example")


def test_pointers_are_believed_only_where_the_layout_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openssl, "_HEAD", openssl._HEAD + 8)
    assert openssl.reach.__wrapped__() is None


def test_an_error_of_a_setting_is_not_left_for_the_next_connection(contexts: Contexts) -> None:
    reached = openssl.reach()
    assert reached is not None
    assert reached.ctrl(contexts.front, 92, 0, b"no-such-group") == 0
    shake(contexts, client_context(), "a.example")
