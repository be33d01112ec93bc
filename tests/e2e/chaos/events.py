"""What happens to the processes while there is traffic: instances die, freeze and return, workers and the process that
checks instances die, SIGHUP comes, and the program is upgraded.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lb.control.api.control_socket import meet
from tests.e2e.chaos.shim import Shim
from tests.e2e.harness import process
from tests.e2e.harness.door import Config, FrontDoor, command_environment
from tests.e2e.harness.instance import reserve
from tests.e2e.harness.waiting import wait_for

_FROZEN = (0.2, 1.5)  # seconds
_DOWN = (0.1, 1.0)
_BETWEEN = (0.1, 0.6)
_UPGRADED = 5.0  # seconds of calm between two upgrades: each is a new interpreter
_PATIENCE = 60.0


class Place:
    """One instance's process and the shim in front of it."""

    def __init__(self, directory: Path, number: int, chance: random.Random) -> None:
        self._held = reserve()
        self._port: int = self._held.getsockname()[1]
        self.log = directory / f"instance-{number}.log"
        self.log.touch()
        self.shim = Shim(self._port, chance)
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """The process first, so that who gets through the shim finds it."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.e2e.chaos.app", str(self._port), str(self.log), env=command_environment()
        )
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                break
        await self.shim.up()

    async def die(self) -> None:
        await self.shim.down()
        if self._process is not None:
            self._process.kill()
            await self._process.wait()

    def release(self) -> None:
        """Give its ports back."""
        self._held.close()
        self.shim.release()

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def requests(self) -> list[tuple[str, str, str]]:
        """Method, identifier and the body's digest of every request that it got whole."""
        return [(a, b, c) for a, b, c in (line.split(" ") for line in self.log.read_text().splitlines())]


@dataclass
class Events:
    """Draws what happens next; SIGHUP brings one of the `variants` of the configuration. `killed` are the times
    (monotonic, seconds) at which a worker was killed, `supervisors` the processes that upgrades brought, after the
    door's.
    """

    door: FrontDoor
    places: list[Place]
    variants: list[Config]
    chance: random.Random
    killed: list[float] = field(default_factory=list)
    reloads: int = 0
    deaths: int = 0
    freezes: int = 0
    supervisors: list[int] = field(default_factory=list)
    upgraded: float = 0.0

    async def run(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        everything = (
            self._instance_dies,
            self._instance_freezes,
            self._worker_dies,
            self._health_dies,
            self._reload,
            self._upgrade,
        )
        while time.monotonic() < end:
            await asyncio.sleep(self.chance.uniform(*_BETWEEN))
            await self.chance.choice(everything)()
        if not self.supervisors:
            await self._upgrade()

    @property
    def supervisor(self) -> int:
        """The one that is the service."""
        return self.supervisors[-1] if self.supervisors else self.door.pid

    def workers(self) -> list[int]:
        """Those of the present supervisor."""
        return self._children("lb: worker")

    def end(self) -> None:
        """Stops the service, and waits for those before it, too."""
        os.kill(self.supervisor, signal.SIGTERM)
        everyone = [self.door.pid, *self.supervisors]
        wait_for(lambda: not [pid for pid in everyone if process.is_alive(pid)], "all supervisors to be gone", 30.0)
        assert self.door.wait_end() == 0
        self.door.check()

    def _children(self, title: str) -> list[int]:
        return [pid for pid in process.children(self.supervisor) if process.title(pid).startswith(title)]

    async def _instance_dies(self) -> None:
        place = self.chance.choice(self.places)
        self.deaths += 1
        await place.die()
        await asyncio.sleep(self.chance.uniform(*_DOWN))
        await place.start()

    async def _instance_freezes(self) -> None:
        place = self.chance.choice(self.places)
        self.freezes += 1
        place.signal(signal.SIGSTOP)
        await asyncio.sleep(self.chance.uniform(*_FROZEN))
        place.signal(signal.SIGCONT)

    async def _worker_dies(self) -> None:
        """Not again within a second, which is what the supervisor takes for a worker that cannot work."""
        if self.killed and time.monotonic() - self.killed[-1] < 3.0:
            return
        workers = self.workers()
        if workers:
            self.killed.append(time.monotonic())
            os.kill(self.chance.choice(workers), signal.SIGKILL)

    async def _health_dies(self) -> None:
        """Which nobody may notice."""
        for pid in self._children("lb: health"):
            os.kill(pid, signal.SIGKILL)

    async def _upgrade(self) -> None:
        if time.monotonic() - self.upgraded < _UPGRADED:
            return
        answer = await asyncio.to_thread(self._ask, "upgrade")
        if answer["ok"]:
            self.supervisors.append(answer["successor"])
            self.upgraded = time.monotonic()
        else:
            assert "a reload is under way" in answer["error"] or "an upgrade" in answer["error"], answer

    def _ask(self, command: str) -> dict[str, Any]:
        connection = meet(self.door.file, os.environ)
        assert connection is not None, "nobody takes commands"
        with connection, connection.makefile() as lines:
            connection.settimeout(_PATIENCE)
            connection.sendall(json.dumps({"command": command}).encode() + b"\n")
            answer: dict[str, Any] = json.loads(lines.readline())
        return answer

    async def _reload(self) -> None:
        self.reload(self.chance.choice(self.variants))

    def reload(self, config: Config) -> None:
        """The file changes in one step, as an editor's does."""
        self.reloads += 1
        new = self.door.directory / "lb.yaml.new"
        log = {"access_log": {"path": str(self.door.log_path), "format": "json"}}
        new.write_text(json.dumps({**log, **config}))
        new.rename(self.door.directory / "lb.yaml")
        os.kill(self.supervisor, signal.SIGHUP)

    def near_a_kill(self, began: float, ended: float) -> bool:
        """Whether a worker was killed while this lasted, or just before: the connection may have been in its queue."""
        return any(began - 1.0 <= at <= ended + 0.1 for at in self.killed)
