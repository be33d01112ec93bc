"""A TLS client and `Contexts`' server side in one process, joined by memory."""

from __future__ import annotations

import ssl
from typing import NamedTuple

import trustme

from lb.tls.handshake.context_options import ServerConnection
from lb.tls.handshake.contexts import Contexts


class Pair(NamedTuple):
    """Both sides of a connection after its handshake."""

    client: ssl.SSLObject
    server: ServerConnection


def client_context(ca: trustme.CA | None = None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A client that offers HTTP/1.1; it checks the server's certificate if it is given a CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2", "http/1.1"])
    if ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        ca.configure_trust(context)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def shake(
    contexts: Contexts,
    context: ssl.SSLContext,
    name: str | None,
    session: ssl.SSLSession | None = None,
) -> Pair:
    """Run a handshake; the error of the side that finds one is raised, the client's first."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(down, up, server_hostname=name, session=session)
    server = contexts.wrap(up, down)
    failure: ssl.SSLError | None = None
    done = {client: False, server: False}
    for _ in range(10):
        for side in (client, server):
            try:
                side.do_handshake()
                done[side] = True
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:
                if side is client:
                    raise
                failure = failure or error
        if all(done.values()):
            return Pair(client, server)
    assert failure is not None, "the handshake stands still"
    raise failure


def say(source: ssl.SSLObject, target: ssl.SSLObject, data: bytes) -> bytes:
    """Send data from one side; what the other side reads. A TLS 1.3 client has its ticket after that."""
    source.write(data)
    return target.read(len(data))
