"""One front door for many simple tests: every test takes an app of its own, whose instance nobody used before.

The addresses of the apps' instances are bound when the front door starts and listen only while a test uses one, so that
no state that the front door keeps about an instance goes from one test to the next.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.harness.client import Client
from tests.e2e.harness.door import FrontDoor
from tests.e2e.harness.instance import Instance, Script, address_text, reserve

_APPS = 96


@dataclass(frozen=True, slots=True)
class Stage:
    """What one test plays on: the door, the host of its own app, and the app's instance."""

    door: FrontDoor
    host: str
    instance: Instance

    def connect(self) -> Client:
        return self.door.connect()


class SharedDoors:
    """Hands out apps; starts another front door when the apps of the last one are used up."""

    def __init__(self, directory: Path, buffering: str = "auto") -> None:
        """`buffering` is that of every app."""
        self._directory = directory
        self._buffering = buffering
        self._doors: list[FrontDoor] = []
        self._free: list[tuple[str, socket.socket]] = []
        self._numbers = itertools.count()

    def _open(self) -> None:
        directory = self._directory / f"door{len(self._doors)}"
        directory.mkdir(exist_ok=True)
        sockets = [reserve() for _ in range(_APPS)]
        hosts = [f"app{next(self._numbers)}.example.com" for _ in sockets]
        apps = {
            host.split(".")[0]: {
                "domains": [host],
                "buffering": self._buffering,
                "production": {"instances": [address_text(sock)]},
            }
            for host, sock in zip(hosts, sockets, strict=True)
        }
        config = {"listen": {"http": "127.0.0.1:0"}, "workers": 1, "apps": apps}
        self._doors.append(FrontDoor(config, directory))
        self._free = list(zip(hosts, sockets, strict=True))

    @contextmanager
    def stage(self, script: Script) -> Iterator[Stage]:
        if not self._free:
            self._open()
        host, sock = self._free.pop()
        with Instance(script, sock=sock) as instance:
            yield Stage(self._doors[-1], host, instance)

    def refusing(self) -> tuple[FrontDoor, str]:
        """The door and a host whose instance refuses connections."""
        if not self._free:
            self._open()
        host, sock = self._free.pop()
        sock.close()
        return self._doors[-1], host

    def close(self) -> None:
        for _, sock in self._free:
            sock.close()
        for door in self._doors:
            with door:
                pass
