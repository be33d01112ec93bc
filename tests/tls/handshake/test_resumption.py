from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from lb.tls.handshake.contexts import Contexts
from tests.tls.certificate_files import issue
from tests.tls.handshakes import client_context

PATIENCE = 10.0

# Under pytest-xdist there is a second thread, which Python 3.12 and later warn about; the children here use none.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


def serve_in_a_child(contexts: Contexts, ours: socket.socket, theirs: socket.socket) -> int:
    """Fork a child that does one handshake on `ours` and says whether it resumed and which certificate it presented."""
    child = os.fork()
    if child:
        ours.close()
        return child
    status = 1
    try:
        theirs.close()
        _serve(contexts, ours)
        status = 0
    finally:
        os._exit(status)


def _serve(contexts: Contexts, sock: socket.socket) -> None:
    sock.settimeout(PATIENCE)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = contexts.wrap(incoming, outgoing)
    while True:
        try:
            connection.do_handshake()
            break
        except ssl.SSLWantReadError:
            sock.sendall(outgoing.read())
            data = sock.recv(65536)
            assert data, "the client went away"
            incoming.write(data)
    presented = "none" if connection.certificate is None else ",".join(sorted(connection.certificate.names))
    connection.write(f"{connection.session_reused} {presented}\n".encode())
    sock.sendall(outgoing.read())


def visit(
    contexts: Contexts, context: ssl.SSLContext, name: str, session: ssl.SSLSession | None
) -> tuple[bool, str, ssl.SSLSession | None]:
    """One connection to a server in a child of its own: resumed or not, what the server said, the session to go on
    with.
    """
    ours, theirs = socket.socketpair()
    child = serve_in_a_child(contexts, ours, theirs)
    theirs.settimeout(PATIENCE)
    with context.wrap_socket(theirs, server_hostname=name, session=session) as connection:
        said = connection.recv(1000).decode()
        result = bool(connection.session_reused), said, connection.session
    _, status = os.waitpid(child, 0)
    assert status == 0
    return result


@pytest.fixture
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def contexts(ca: trustme.CA, tmp_path: Path) -> Contexts:
    return Contexts([issue(ca, tmp_path, "first.example"), issue(ca, tmp_path, "second.example")])


# spec: T4, D5
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("name", ["first.example", "second.example"])
def test_a_session_resumes_in_any_worker(
    ca: trustme.CA, contexts: Contexts, name: str, version: ssl.TLSVersion
) -> None:
    context = client_context(ca, version)
    resumed, said, session = visit(contexts, context, name, None)
    assert (resumed, said) == (False, f"False {name}\n")
    assert session is not None
    assert session.has_ticket
    resumed, said, _ = visit(contexts, context, name, session)
    assert (resumed, said) == (True, f"True {name}\n")


# spec: T4
def test_contexts_made_anew_do_not_know_the_session(ca: trustme.CA, contexts: Contexts, tmp_path: Path) -> None:
    context = client_context(ca)
    _, _, session = visit(contexts, context, "first.example", None)
    others = Contexts([issue(ca, tmp_path, "first.example")])
    assert visit(others, context, "first.example", session)[0] is False
