"""What a service manager hears, over a datagram socket of the test's own."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from lb.control.api.systemd import Notifier
from tests.control.running import Running


class Manager:
    """The manager's end: what was said, a datagram at a time."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(address.replace("@", "\0"))
        self.sock.settimeout(10)

    def hear(self) -> dict[str, str]:
        lines = self.sock.recv(4096).decode().split("\n")
        return dict(line.split("=", 1) for line in lines)

    def hear_of(self, key: str) -> dict[str, str]:
        while key not in (heard := self.hear()):
            pass
        return heard

    def heard_nothing(self) -> bool:
        self.sock.setblocking(False)
        try:
            self.sock.recv(1)
        except BlockingIOError:
            return True
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@lb-test-{os.getpid()}"
    with Manager(address) as manager:
        yield manager


def test_every_message(manager: Manager) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.address})
    notifier.ready("2 workers serve")
    assert manager.hear() == {"READY": "1", "STATUS": "2 workers serve"}
    before = time.monotonic_ns() // 1000
    notifier.reloading("reading shop.yaml")
    heard = manager.hear()
    assert (heard["RELOADING"], heard["STATUS"]) == ("1", "reading shop.yaml")
    assert before <= int(heard["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    notifier.status("a line\nMAINPID=1")  # a line break must not begin a field of its own
    assert manager.hear() == {"STATUS": "a line MAINPID=1"}
    notifier.stopping("draining", 32.5)
    assert manager.hear() == {"STOPPING": "1", "EXTEND_TIMEOUT_USEC": "32500000", "STATUS": "draining"}
    notifier.main_process(4711)
    assert manager.hear() == {"MAINPID": "4711"}
    notifier.stopping("not the service any more", 1.0)
    assert manager.heard_nothing()


def test_the_watchdog_hears_from_us_twice_as_often_as_it_asks(manager: Manager) -> None:
    notifier = Notifier(
        {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}
    )
    assert notifier.due is None  # it does not wait for a service that starts
    notifier.ready("serving")
    assert "READY" in manager.hear()
    notifier.beat(100.0)
    assert manager.hear() == {"WATCHDOG": "1"}
    assert notifier.due == 101.5
    notifier.beat(101.0)
    assert manager.heard_nothing()
    notifier.main_process(4711)  # whose business it is from now on
    assert notifier.due is None


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "x"},
        {"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"},
    ],
)
def test_no_watchdog(manager: Manager, environ: dict[str, str]) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.address, **environ})
    notifier.ready("serving")
    assert "READY" in manager.hear()
    assert notifier.due is None
    notifier.beat(1.0)
    assert manager.heard_nothing()


@pytest.mark.parametrize("address", ["/nowhere/at/all", "@nobody-listens-here", "vsock:2:1", "", "x" * 300])
def test_a_manager_that_cannot_be_reached_costs_nothing(address: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "3000000"})
    notifier.ready("serving")
    notifier.beat(1.0)


def test_a_manager_that_does_not_read_is_not_waited_for(manager: Manager) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.address})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
        filler.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                filler.sendto(b"x", manager.address.replace("@", "\0"))
    before = time.monotonic()
    notifier.ready("serving")
    assert time.monotonic() - before < 2


def test_a_service_tells_that_it_is_ready_alive_and_ending(tmp_path: Path) -> None:
    # spec: R2
    with Manager(str(tmp_path / "notify")) as manager:
        environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "100000"}
        with Running("tests.control.fake_service", "well", "2", environ=environ) as service:
            heard = manager.hear_of("READY")
            assert heard["STATUS"] == "2 workers serve"
            for _ in range(3):
                manager.hear_of("WATCHDOG")
            service.signal(signal.SIGTERM)
            assert "finish" in manager.hear_of("STOPPING")["STATUS"]
            assert service.wait_end() == 0
