"""What a client may ask of TLS and does not get: another handshake on the same connection, data before the first, and a
worker's time for records that carry none.

OpenSSL's own client does the asking, or `benchmarks.hostile.records`.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from benchmarks.hostile.records import Conversation
from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST, Client, get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import assert_error, assert_logged
from tests.e2e.harness.hello import client_hello
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import echo
from tests.e2e.harness.secure import Secure
from tests.e2e.harness.waiting import PATIENCE, wait_for
from tests.e2e.test_health import admin
from tests.e2e.test_on_demand import context

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


_FLOOD = 100_000  # records: a second of one core and more, for whoever reads them all in one go


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    with Instance(echo()) as opened:
        yield opened


@pytest.fixture(scope="module", params=["direct", "memory"])
def door(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, authority: Authority, instance: Instance
) -> Iterator[FrontDoor]:
    """One worker, with either way to OpenSSL."""
    listen = {"http": "127.0.0.1:0", "https": "127.0.0.1:0"}
    tls = tls_config(authority.issue(HOST))
    config = configure(instance.address, listen=listen, tls=tls, admin="127.0.0.1:0")
    env = {"LB_TLS": "memory"} if request.param == "memory" else {}
    with FrontDoor(config, tmp_path_factory.mktemp("records"), env=env) as opened:
        yield opened


class Witness(threading.Thread):
    """One request after the other; `slowest` is how long the slowest took, in seconds."""

    def __init__(self, door: FrontDoor) -> None:
        super().__init__()
        self._door = door
        self._stopped = threading.Event()
        self.slowest = 0.0
        self.count = 0

    def run(self) -> None:
        with self._door.connect() as client:
            while not self._stopped.wait(0.005):
                began = time.monotonic()
                assert client.ask(get()).status == 200
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.count += 1

    def __enter__(self) -> Self:
        self.start()
        wait_for(lambda: self.count > 5, "the first requests")
        return self

    def __exit__(self, *_: object) -> None:
        before = self.count
        wait_for(lambda: self.count > before + 5 or not self.is_alive(), "the last requests")
        self._stopped.set()
        self.join()


@pytest.mark.parametrize("kind", ["key updates", "hellos"])
def test_records_without_data_cost_only_their_own_turns(door: FrontDoor, kind: str) -> None:
    # What the flood does, it does each time; what a busy machine does, it does not.
    assert any(_slowest_beside_floods(door, kind) < 0.2 for _ in range(3))


def _slowest_beside_floods(door: FrontDoor, kind: str) -> float:
    """Seconds that the slowest request of another client takes meanwhile."""
    floods = []
    for _ in range(2):
        if kind == "key updates":
            client = Conversation(door.https, HOST, ssl.TLSVersion.TLSv1_3)
            floods.append((client, client.key_updates(_FLOOD)))
        else:
            client = Conversation(door.https, HOST, ssl.TLSVersion.TLSv1_2)
            floods.append((client, client.hellos(_FLOOD)))
    with Witness(door) as witness:
        threads = [threading.Thread(target=_send, args=(client.sock, data)) for client, data in floods]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()  # all of it was taken, or the connection was ended
    for client, _ in floods:
        assert _is_ended(client.sock), "nobody needs so many: the connection ends"
    return witness.slowest


def _send(sock: socket.socket, data: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        sock.sendall(data)


def _is_ended(sock: socket.socket) -> bool:
    with sock:
        try:
            while sock.recv(65536):
                pass
        except ConnectionError:
            pass
        except TimeoutError:
            return False
        return True


def test_a_few_records_without_data_are_borne(door: FrontDoor) -> None:
    client = Conversation(door.https, HOST, ssl.TLSVersion.TLSv1_3)
    with client.sock:
        for _ in range(4):
            client.sock.sendall(client.key_updates(100) + client.records(get()))
            assert wait_for(client.read, "the answer behind them").startswith(b"HTTP/1.1 200 ")


# spec: E3
@pytest.mark.parametrize("name", [b"\xff\xfe" * 100, "\N{GREEK SMALL LETTER ALPHA}.example".encode(), b"a" * 5000])
def test_names_that_are_no_names_leave_no_line(secure: Secure, name: bytes) -> None:
    before = len(secure.door.stderr)
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", secure.door.https), PATIENCE) as sock:
            sock.sendall(client_hello(name))
            assert sock.recv(100)[:1] == b"\x15", "an alert"
    with secure.connect() as client:
        assert client.ask(get()).status == 200
    assert secure.door.stderr[before:] == []


# spec: E1 E2 E3
def test_plain_http_on_the_port_of_https_is_told_so(door: FrontDoor, instance: Instance) -> None:
    served = len(instance.requests)
    for said in (get("/typed"), get("/again", "Connection: keep-alive"), b"get http\r\n\r\n", b"A" * 100_000):
        with Client(("127.0.0.1", door.https)) as client:
            client.send_quietly(said)
            response = client.response()
            assert_error(response, 400, "plain_http_on_https_port")
            assert b"This port speaks HTTPS" in response.body
            assert (f"https://{HOST}/".encode() in response.body) == (HOST.encode() in said)
            assert client.rest() == b""
    assert len(instance.requests) == served
    assert_logged(door, 400, "plain_http_on_https_port", target="/typed", host=HOST, scheme="http")
    metrics = admin(door, "/metrics").decode()
    found = re.search(r'lb_errors_total\{cause="plain_http_on_https_port"\} ([0-9]+)', metrics)
    assert found is not None


# spec: E1 E3 L4
def test_plain_http_whose_head_is_never_finished_is_told_so_too(tmp_path: Path, authority: Authority) -> None:
    listen = {"http": "127.0.0.1:0", "https": "127.0.0.1:0"}
    with Instance(echo()) as instance:
        config = configure(
            instance.address, listen=listen, tls=tls_config(authority.issue(HOST)), timeouts={"head": "1s"}
        )
        with FrontDoor(config, tmp_path) as door:
            for said in (get("/typed")[:-2], b"G"):
                with Client(("127.0.0.1", door.https)) as client:
                    client.send(said)
                    assert_error(client.response(), 400, "plain_http_on_https_port")
                    assert client.rest() == b""
            assert_logged(door, 400, "plain_http_on_https_port", target="/typed", host=HOST, scheme="http")


def test_that_takes_nothing_from_those_who_speak_tls(door: FrontDoor) -> None:
    with Client(("127.0.0.1", door.https)) as dripping, Client(("127.0.0.1", door.https)) as silent:
        dripping.send(b"GET / HT")
        with door.connect_tls(context()) as client:
            assert client.ask(get()).status == 200
        assert silent.is_open()
        dripping.send(b"TP/1.1\r\nHost: a\r\n\r\n")
        assert dripping.response().status == 400


# spec: D2
def test_a_server_name_with_a_port_is_served(door: FrontDoor) -> None:
    with door.connect_tls(context(), f"{HOST}:{door.https}") as client:
        assert client.ask(get(host=f"{HOST}:{door.https}")).status == 200


# spec: E3
def test_a_handshake_for_a_name_without_a_certificate_leaves_a_trace(door: FrontDoor) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"), door.connect_tls(context(), "mis.example.com"):
        pass
    wait_for(lambda: any("mis.example.com" in line for line in door.stderr), "a line that names it")
    counted = r"^lb_tls_handshakes_unknown_name_total [1-9]"
    wait_for(lambda: re.search(counted, admin(door, "/metrics").decode(), re.MULTILINE), "the count")
