"""Contexts for instances: what is trusted, when another one is made, and what is kept of sessions."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest
import trustme

from lb.routing.instance_tls import InstanceTls, TlsClient


def paired(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context, and the authority to trust."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("app.internal").configure_cert(context)
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return context, path


def shake_hands(tls: InstanceTls, context: ssl.SSLContext) -> ssl.SSLObject:
    """The client's side after a whole handshake, tickets included."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = tls.wrap(to_client, to_server)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    with pytest.raises(ssl.SSLWantReadError):
        client.read(1)  # takes in what the server sent after the handshake
    return client


def test_sessions_are_resumed_and_forgotten(tmp_path: Path) -> None:
    context, ca = paired(tmp_path)
    client = TlsClient.of(True, ca, None, None)
    tls = InstanceTls(client, client.context(), "app.internal")
    first = shake_hands(tls, context)
    assert not first.session_reused
    tls.remember(first)
    assert shake_hands(tls, context).session_reused
    tls.forget()
    assert not shake_hands(tls, context).session_reused


def test_only_the_expected_name_is_accepted(tmp_path: Path) -> None:
    context, ca = paired(tmp_path)
    client = TlsClient.of(True, ca, None, None)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(InstanceTls(client, client.context(), "other.internal"), context)
    lax = TlsClient.of(False, None, None, None)
    shake_hands(InstanceTls(lax, lax.context(), "other.internal"), context)


def test_another_file_is_another_client(tmp_path: Path) -> None:
    _, ca = paired(tmp_path)
    before = TlsClient.of(True, ca, None, None)
    assert TlsClient.of(True, ca, None, None) == before
    os.utime(ca, ns=(1, 1))
    after = TlsClient.of(True, ca, None, None)
    assert after != before
    context = before.context()
    one = InstanceTls(before, context, "app.internal")
    assert one.is_like(InstanceTls(before, context, "app.internal"))
    assert not one.is_like(InstanceTls(before, context, "other.internal"))
    assert not one.is_like(InstanceTls(after, context, "app.internal"))
    assert not one.is_like(None)


def test_a_file_that_is_missing_shows_when_the_context_is_made(tmp_path: Path) -> None:
    client = TlsClient.of(True, tmp_path / "none.pem", None, None)
    with pytest.raises(OSError, match=r"No such file"):
        client.context()
