"""An engine that says what a test wants said: the protocol of `lb.apps.service.placements` over a real socket.

It runs no apps: what it places are instances of the harness.
"""

from __future__ import annotations

import json
import socket
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from lb.apps.service.engine_socket import socket_name
from lb.apps.service.placements import PlacedInstance, Placement, PlacementState, RowState, line_of
from tests.e2e.harness.door import FrontDoor
from tests.e2e.harness.waiting import wait_for


class FakeEngine:
    """Listens for the door of `file`; `heard` is everything that doors have said. Use it in a `with`."""

    def __init__(self, file: Path, runtime: Path) -> None:
        self.heard: list[dict[str, Any]] = []
        self.subscriptions = 0
        self.refusal = ""
        self._placed: dict[tuple[str, str], Placement] = {}
        self._doors: list[socket.socket] = []
        self._lock = threading.Lock()
        directory = runtime / "lb-engine"
        directory.mkdir(mode=0o700, exist_ok=True)
        self.path = directory / socket_name(file)
        self.path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def place(
        self,
        state: PlacementState,
        *instances: PlacedInstance,
        environment: str = "production",
        release: str = "20261130-091500",
        **more: Any,
    ) -> Placement:
        """Says this of an environment from now on, one generation later than before."""
        with self._lock:
            before = self._placed.get(("shop", environment))
            generation = before.generation + 1 if before is not None else 1
            placement = Placement("shop", environment, generation, state, release, instances, **more)
            self._placed["shop", environment] = placement
            self._tell(placement.to_json())
        return placement

    def serve(self, *addresses: str, **more: Any) -> Placement:
        """Instances at these addresses serve."""
        return self.place(
            PlacementState.RUNNING, *(at(address, number) for number, address in enumerate(addresses, 1)), **more
        )

    def say_again(self) -> None:
        """Everything once more, as at the beginning of a connection."""
        with self._lock:
            for placement in self._placed.values():
                self._tell(placement.to_json())

    def said(self, event: str, **wanted: Any) -> list[dict[str, Any]]:
        """What doors said of this kind, with these values."""
        return [
            one
            for one in list(self.heard)
            if one.get("event", one.get("command")) == event
            and all(one.get(key) == value for key, value in wanted.items())
        ]

    def wait_said(self, event: str, **wanted: Any) -> dict[str, Any]:
        return wait_for(lambda: self.said(event, **wanted), f"the door to say {event} {wanted}", 20.0)[-1]

    def wait_applied(self, placement: Placement) -> None:
        self.wait_said("applied", environment=placement.environment, generation=placement.generation)

    def hang_up(self) -> None:
        """The connections to doors end."""
        with self._lock:
            doors, self._doors = self._doors, []
        for door in doors:
            with suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """It has gone, as after SIGKILL: its socket stays."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tell(self, message: Mapping[str, Any]) -> None:
        for door in self._doors:
            with suppress(OSError):
                door.sendall(line_of(message))

    def _accept(self) -> None:
        while True:
            try:
                door, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._hear, args=(door,), daemon=True).start()

    def _hear(self, door: socket.socket) -> None:
        with door, suppress(OSError, ValueError), door.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                self.heard.append(message)
                if message.get("command") == "subscribe":
                    self._subscribe(door)
                elif message.get("command") == "reload":
                    door.sendall(line_of({"event": "result", "ok": True, "changes": []}))

    def _subscribe(self, door: socket.socket) -> None:
        if self.refusal:
            door.sendall(line_of({"protocol": 1, "ok": False, "error": self.refusal}))
            door.shutdown(socket.SHUT_RDWR)
            return
        with self._lock:
            self.subscriptions += 1
            door.sendall(line_of({"protocol": 1, "ok": True, "version": "1", "pid": 4711}))
            for placement in self._placed.values():
                door.sendall(line_of(placement.to_json()))
            door.sendall(line_of({"event": "synchronised"}))
            self._doors.append(door)


def at(
    address: str, number: int = 1, *, name: str = "", release: str = "20261130-091500", tag: str = ""
) -> PlacedInstance:
    """An instance at an address of the harness; `tag` tells several at one address apart."""
    identity = f"{abs(hash((address, tag))) % (1 << 32):08x}"
    return PlacedInstance(identity, name or f"web{number}", address, release)


def asleep(instance: PlacedInstance) -> PlacedInstance:
    """The same, about to end."""
    return replace(instance, state=RowState.ASLEEP)


class DoorWithFakeEngine:
    """A front door with a deployed app, in a directory of its own. Use it in a `with`."""

    def __init__(self, directory: Path, keys: Mapping[str, Any] | None = None, **top: Any) -> None:
        # A socket's path is short, and a test's directory is not.
        self._runtime = tempfile.TemporaryDirectory(prefix="lbf-", dir="/tmp")
        self.runtime = Path(self._runtime.name)
        environment = {"deploy": True, "health_checks": False, **(keys or {})}
        self.config = {
            "listen": {"http": "127.0.0.1:0"},
            "workers": 2,
            "engine": {"start": False},  # a real one would go on when the test is over
            "apps": {"shop": {"domains": ["shop.example.com"], "production": environment}},
            **top,
        }
        self._directory = directory
        self.engine = FakeEngine(directory / "lb.yaml", self.runtime)
        self.env = {"XDG_RUNTIME_DIR": str(self.runtime)}

    def start(self) -> FrontDoor:
        return FrontDoor(self.config, self._directory, env=self.env)

    def restart_engine(self) -> None:
        """Another one takes the place of the one that has gone, and knows what that knew."""
        placed = self.engine._placed
        self.engine = FakeEngine(self._directory / "lb.yaml", self.runtime)
        self.engine._placed.update(placed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.close()
        self._runtime.cleanup()
