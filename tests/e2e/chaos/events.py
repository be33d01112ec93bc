"""What happens to the processes while there is traffic: instances die, freeze and return, workers die, SIGHUP comes."""

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

from tests.e2e.chaos.shim import Shim
from tests.e2e.harness import process
from tests.e2e.harness.door import Config, FrontDoor, command_environment
from tests.e2e.harness.instance import reserve

_FROZEN = (0.2, 1.5)  # seconds
_DOWN = (0.1, 1.0)
_BETWEEN = (0.1, 0.6)


class Place:
    """One instance's process and the shim in front of it."""

    def __init__(self, directory: Path, number: int, chance: random.Random) -> None:
        with reserve() as sock:
            self._port: int = sock.getsockname()[1]
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

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def requests(self) -> list[tuple[str, str, str]]:
        """Method, identifier and the body's digest of every request that it got whole."""
        return [(a, b, c) for a, b, c in (line.split(" ") for line in self.log.read_text().splitlines())]


@dataclass
class Events:
    """Draws what happens next; SIGHUP brings one of the `variants` of the configuration. `killed` are the times
    (monotonic, seconds) at which a worker was killed.
    """

    door: FrontDoor
    places: list[Place]
    variants: list[Config]
    chance: random.Random
    killed: list[float] = field(default_factory=list)
    reloads: int = 0
    deaths: int = 0
    freezes: int = 0

    async def run(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await asyncio.sleep(self.chance.uniform(*_BETWEEN))
            what = self.chance.choice((self._instance_dies, self._instance_freezes, self._worker_dies, self._reload))
            await what()

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
        workers = self.door.workers
        if workers:
            self.killed.append(time.monotonic())
            os.kill(self.chance.choice(workers), signal.SIGKILL)

    async def _reload(self) -> None:
        self.reload(self.chance.choice(self.variants))

    def reload(self, config: Config) -> None:
        """The file changes in one step, as an editor's does."""
        self.reloads += 1
        new = self.door.directory / "lb.yaml.new"
        log = {"access_log": {"path": str(self.door.log_path), "format": "json"}}
        new.write_text(json.dumps({**log, **config}))
        new.rename(self.door.directory / "lb.yaml")
        self.door.signal(signal.SIGHUP)

    def near_a_kill(self, began: float, ended: float) -> bool:
        """Whether a worker was killed while this lasted, or just before: the connection may have been in its queue."""
        return any(began - 1.0 <= at <= ended + 0.1 for at in self.killed)

    def fds(self) -> int:
        return sum(process.open_files(pid) for pid in self.door.workers)
