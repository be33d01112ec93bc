"""The first handshake for a name that gets its certificate because it was asked for: it waits, and then succeeds."""

# spec: T5 L5

from __future__ import annotations

import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness.ca import Demanded, demanded
from tests.e2e.harness.client import get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.hello import client_hello
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.process import children
from tests.e2e.harness.scripts import Echo, echo
from tests.e2e.harness.waiting import PATIENCE, wait_for
from tests.e2e.test_health import admin

REFUSED = r"(?i)unrecognized.name"


@pytest.fixture
def there() -> Iterator[Demanded]:
    with demanded() as running:
        yield running


@contextmanager
def door(
    there: Demanded, directory: Path, *, on_demand: dict[str, Any] | None = None, **top: Any
) -> Iterator[FrontDoor]:
    with Instance(echo()) as instance, FrontDoor(config(there, instance, on_demand, **top), directory) as opened:
        yield opened


def config(there: Demanded, instance: Instance, on_demand: dict[str, Any] | None = None, **top: Any) -> dict[str, Any]:
    listen = {"http": "127.0.0.1:0", "https": "127.0.0.1:0"}
    section = {"listen": listen, "tls": there.tls(**(on_demand or {})), "workers": 2, **top}
    return configure(instance.address, domains=("*.example.com",), **section)


def context(version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A client that believes any certificate for its name."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if version is not None:
        made.minimum_version = made.maximum_version = version
    return made


class Shake(threading.Thread):
    """A client in a thread of its own: `result` is what the app answered, or why the handshake failed."""

    def __init__(self, opened: FrontDoor, name: str) -> None:
        super().__init__()
        self._door, self._name = opened, name
        self.result: int | OSError | None = None
        self.seconds = 0.0
        self.start()

    def run(self) -> None:
        began = time.monotonic()
        try:
            with self._door.connect_tls(context(), self._name) as client:
                self.result = client.ask(get("/", host=self._name)).status
        except OSError as error:
            self.result = error
        self.seconds = time.monotonic() - began

    def outcome(self) -> int | OSError | None:
        self.join(PATIENCE)
        return self.result


def is_refusal(result: object) -> bool:
    return isinstance(result, ssl.SSLError) and "UNRECOGNIZED_NAME" in str(result).upper()


def test_the_first_handshake_succeeds_and_shows_the_certificate(there: Demanded, tmp_path: Path) -> None:
    with door(there, tmp_path) as opened:
        for name, version in (("a", ssl.TLSVersion.TLSv1_2), ("B", ssl.TLSVersion.TLSv1_3)):
            host = f"{name}.example.com"
            with opened.connect_tls(context(version), host) as client:
                assert isinstance(client.sock, ssl.SSLSocket)
                assert f"DNS:{host.lower()}" in _names(client.sock)
                assert Echo(client.ask(get("/", host=host))).target == "/"
        with opened.connect_tls(context(), "a.example.com"):
            pass
    assert there.asked == ["a.example.com", "b.example.com"]
    assert len(there.ca.orders) == 2


def _names(sock: ssl.SSLSocket) -> list[str]:
    from cryptography import x509  # noqa: PLC0415

    der = sock.getpeercert(binary_form=True)
    assert der is not None
    found = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return [f"DNS:{name}" for name in found.value.get_values_for_type(x509.DNSName)]


def test_twenty_first_handshakes_at_once_are_one_order(there: Demanded, tmp_path: Path) -> None:
    with door(there, tmp_path) as opened:
        assert [one.outcome() for one in [Shake(opened, "a.example.com") for _ in range(20)]] == [200] * 20
    assert there.asked == ["a.example.com"]
    assert len(there.ca.orders) == 1


def test_a_name_that_is_refused_gets_its_alert_at_once(there: Demanded, tmp_path: Path) -> None:
    there.allowed = lambda name: name.startswith("good")
    with door(there, tmp_path) as opened:
        assert Shake(opened, "good.example.com").outcome() == 200
        began = time.monotonic()
        for _ in range(30):
            assert is_refusal(Shake(opened, "bad.example.com").outcome())
        assert time.monotonic() - began < 5
        assert is_refusal(Shake(opened, "a.b.example.com").outcome())  # no name under the wildcard: nobody is asked
    assert there.asked == ["good.example.com", "bad.example.com"]


def test_an_order_that_fails_ends_the_wait(there: Demanded, tmp_path: Path) -> None:
    there.ca.fail("newOrder", 403, "rejectedIdentifier", times=9)
    with door(there, tmp_path) as opened:
        first = Shake(opened, "a.example.com")
        assert is_refusal(first.outcome())
        assert first.seconds < 5
        again = Shake(opened, "a.example.com")  # it is known when the CA is asked again, and not so soon
        assert is_refusal(again.outcome())
        assert again.seconds < 1


def test_patience_ends_before_a_slow_authority(there: Demanded, tmp_path: Path) -> None:
    there.ca.delay("newOrder", 4)
    with door(there, tmp_path, on_demand={"wait": "1s"}) as opened:
        first = Shake(opened, "a.example.com")
        assert is_refusal(first.outcome())
        assert 0.9 < first.seconds < 3
        wait_for(lambda: Shake(opened, "a.example.com").outcome() == 200, "the certificate that came too late")
    assert len(there.ca.orders) == 1


def test_who_waits_and_what_becomes_of_it_is_counted(there: Demanded, tmp_path: Path) -> None:
    there.allowed = lambda name: not name.startswith("bad")

    def figures(opened: FrontDoor) -> dict[str, int]:
        begins = "lb_tls_handshakes_"
        lines = (line for line in admin(opened, "/metrics").decode().splitlines() if line.startswith(begins))
        return {line.split()[0].removeprefix(begins): int(line.split()[1]) for line in lines}

    with door(there, tmp_path, on_demand={"wait": "3s"}, admin="127.0.0.1:0", workers=1) as opened:
        assert Shake(opened, "good.example.com").outcome() == 200
        assert is_refusal(Shake(opened, "bad.example.com").outcome())
        assert is_refusal(Shake(opened, "bad.example.com").outcome())
        there.ca.delay("newOrder", 6)
        slow = Shake(opened, "slow.example.com")
        wait_for(lambda: figures(opened)["waiting"] == 1, "the one that waits")
        assert is_refusal(slow.outcome())
        expected = {"total": 1, "waiting": 0, "held_total": 3, "refused_total": 2, "timed_out_total": 1}
        expected |= {"unknown_name_total": 0}
        wait_for(lambda: figures(opened) == expected, "the figures of what became of them")


def test_a_handshake_that_waits_outlasts_the_time_of_a_handshake(there: Demanded, tmp_path: Path) -> None:
    there.ca.delay("newOrder", 1.5)
    with door(there, tmp_path, timeouts={"handshake": "500ms"}) as opened:
        assert Shake(opened, "a.example.com").outcome() == 200


def test_where_nobody_may_wait_the_second_handshake_succeeds(there: Demanded, tmp_path: Path) -> None:
    with door(there, tmp_path, on_demand={"wait": False}) as opened:
        assert is_refusal(Shake(opened, "a.example.com").outcome())
        wait_for(lambda: Shake(opened, "a.example.com").outcome() == 200, "the certificate")
    assert len(there.ca.orders) == 1


def test_a_client_that_leaves_gives_its_place_to_another(there: Demanded, tmp_path: Path) -> None:
    there.ca.delay("newOrder", 2)
    with door(there, tmp_path, workers=1, on_demand={"waiting": 4}) as opened:
        for way in ("close", "reset"):
            with _hello(opened, "a.example.com") as sock:
                if way == "reset":
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        # One client has one of four places: those who left have none.
        wait_for(lambda: _is_held(opened, "a.example.com"), "a place")
        wait_for(lambda: Shake(opened, "a.example.com").outcome() == 200, "the certificate")
    assert len(there.ca.orders) == 1


def test_one_client_does_not_take_all_places(there: Demanded, tmp_path: Path) -> None:
    there.after = 3
    with door(there, tmp_path, workers=1, on_demand={"waiting": 16}) as opened, ExitStack() as stack:
        held = [stack.enter_context(_hello(opened, "a.example.com")) for _ in range(2)]
        began = time.monotonic()
        assert is_refusal(Shake(opened, "a.example.com").outcome())
        assert is_refusal(Shake(opened, "b.example.com").outcome())
        assert time.monotonic() - began < 1
        assert all(_is_silent(sock) for sock in held)


def test_one_client_brings_up_few_names(there: Demanded, tmp_path: Path) -> None:
    there.allowed = lambda _: False
    with door(there, tmp_path) as opened:
        for number in range(30):
            assert is_refusal(Shake(opened, f"n{number}.example.com").outcome())
        assert 10 <= len(there.asked) <= 15


def test_names_that_are_too_long_are_refused_and_nobody_dies(there: Demanded, tmp_path: Path) -> None:
    with door(there, tmp_path, workers=1) as opened:
        before = children(opened.pid)
        for number in range(20):
            name = f"{number:05}".encode() + b"a" * 62_000 + b".example.com"
            assert _answer(opened, client_hello(name))[-2:] == bytes((2, ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME))
        assert Shake(opened, "a.example.com").outcome() == 200
        assert children(opened.pid) == before
    assert there.asked == ["a.example.com"]


def test_the_challenges_protocol_is_no_way_round_that(there: Demanded, tmp_path: Path) -> None:
    # attack: a client that validates is not held, and so was not counted
    there.allowed = lambda _: False
    with door(there, tmp_path) as opened:
        for number in range(60):
            _answer(opened, client_hello(b"n%d.example.com" % number, protocol=b"acme-tls/1"))
        assert is_refusal(Shake(opened, "b.example.com").outcome())
    assert there.asked == ["b.example.com"]


def _answer(opened: FrontDoor, data: bytes) -> bytes:
    """All that the front door says to these bytes."""
    with socket.create_connection(("127.0.0.1", opened.https), PATIENCE) as sock:
        sock.sendall(data)
        said = b""
        try:
            while piece := sock.recv(4096):
                said += piece
        except ConnectionResetError:
            pass
        return said


def test_who_waits_makes_no_room_for_others(there: Demanded, tmp_path: Path) -> None:
    there.ca.delay("newOrder", 3.5)
    with door(there, tmp_path, workers=1, limits={"connections": 4}) as opened, ExitStack() as stack:
        first = Shake(opened, "a.example.com")
        wait_for(lambda: there.asked, "the question")
        stalled = [stack.enter_context(socket.create_connection(("127.0.0.1", opened.https))) for _ in range(3)]
        time.sleep(2.1)  # after which a connection that has said nothing may have to go
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", opened.https)):
                pass
        assert first.outcome() == 200
        assert not all(_is_silent(sock) for sock in stalled)


def test_who_waits_is_refused_when_the_front_door_goes(there: Demanded, tmp_path: Path) -> None:
    there.ca.delay("newOrder", 30)
    with door(there, tmp_path) as opened:
        first = Shake(opened, "a.example.com")
        wait_for(lambda: there.asked, "the question")
        opened.signal(signal.SIGTERM)
        assert opened.wait_end() == 0
        assert is_refusal(first.outcome())
        assert first.seconds < 10


def test_a_reload_lets_wait_who_waits(there: Demanded, tmp_path: Path) -> None:
    there.ca.delay("newOrder", 2)
    with Instance(echo()) as instance, FrontDoor(config(there, instance), tmp_path) as opened:
        first = Shake(opened, "a.example.com")
        wait_for(lambda: there.asked, "the question")
        # Another process looks after certificates then, and knows nothing of what the one before was asked.
        assert opened.reload(config(there, instance, {"wait": "20s"}))
        assert first.outcome() == 200


def test_who_waits_at_a_worker_that_retires_is_refused(there: Demanded, tmp_path: Path) -> None:
    there.ca.delay("newOrder", 60)
    with Instance(echo()) as instance:
        with FrontDoor(config(there, instance), tmp_path) as opened:
            waiting = [Shake(opened, "a.example.com") for _ in range(20)]
            wait_for(lambda: there.asked, "the question")
            assert opened.reload(config(there, instance, workers=1))
            wait_for(lambda: any(is_refusal(one.result) for one in waiting), "a refusal")
        # Those that the other worker had went on waiting, until the front door ended.
        assert all(is_refusal(one.outcome()) for one in waiting)


def test_a_reload_without_on_demand_refuses_who_waits(there: Demanded, tmp_path: Path) -> None:
    there.ca.delay("newOrder", 20)
    with Instance(echo()) as instance:
        before = config(there, instance)
        with FrontDoor(before, tmp_path) as opened:
            first = Shake(opened, "a.example.com")
            wait_for(lambda: there.asked, "the question")
            after = {**before, "tls": {key: value for key, value in before["tls"].items() if key != "on_demand"}}
            assert opened.reload(after)
            assert is_refusal(first.outcome())
            assert first.seconds < 15


def _hello(opened: FrontDoor, name: str) -> socket.socket:
    """A connection on which nothing but a client hello was sent."""
    outgoing = ssl.MemoryBIO()
    client = context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    sock = socket.create_connection(("127.0.0.1", opened.https))
    sock.sendall(outgoing.read())
    return sock


def _is_silent(sock: socket.socket, seconds: float = 0.2) -> bool:
    sock.settimeout(seconds)
    try:
        sock.recv(1)
    except TimeoutError:
        return True
    except OSError:
        pass
    return False


def _is_held(opened: FrontDoor, name: str) -> bool:
    with _hello(opened, name) as sock:
        return _is_silent(sock)
