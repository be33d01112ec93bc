"""What a client may ask of TLS and does not get: another handshake on the same connection, and data before the first.

OpenSSL's own client does the asking.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.e2e.harness.client import HOST, get
from tests.e2e.harness.secure import Secure

# spec: T4; attack 34


def _ask(secure: Secure, *options: str, said: bytes = b"") -> str:
    """What `openssl s_client` prints when it is told `said` on its standard input."""
    command = ("openssl", "s_client", "-connect", f"127.0.0.1:{secure.door.https}", "-servername", HOST, *options)
    done = subprocess.run(command, input=said, capture_output=True, timeout=30, check=False)
    return (done.stdout + done.stderr).decode("latin-1")


def test_renegotiation_is_refused(secure: Secure) -> None:
    # a line that begins with R asks for it; the answer to what follows would show that it was granted
    seen = _ask(secure, "-tls1_2", said=b"R\n" + get())
    assert "RENEGOTIATING" in seen
    assert re.search(r"no renegotiation|unexpected message|alert", seen, re.IGNORECASE), seen
    assert "HTTP/1.1 200" not in seen
    with secure.connect() as client:
        assert client.ask(get()).status == 200


def test_a_flood_of_renegotiations_costs_one_handshake_each(secure: Secure) -> None:
    for _ in range(4):
        assert "RENEGOTIATING" in _ask(secure, "-tls1_2", said=b"R\nR\nR\n")
    with secure.connect() as client:
        assert client.ask(get()).status == 200


def test_no_data_is_taken_before_the_handshake(secure: Secure, tmp_path: Path) -> None:
    session, early = tmp_path / "session", tmp_path / "early"
    early.write_bytes(get("/early"))
    first = _ask(secure, "-tls1_3", "-sess_out", str(session), "-ign_eof", said=get("/", "Connection: close"))
    assert "Max Early Data: 0" in first
    assert session.exists()
    again = _ask(secure, "-tls1_3", "-sess_in", str(session), "-early_data", str(early), said=b"Q\n")
    assert "Early data was not sent" in again  # the session says that none would be taken
    assert all(request.target != b"/early" for request in secure.instance.requests)
