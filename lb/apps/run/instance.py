"""Start an instance, find those that run, talk to them, end them. Knows nothing of deploys, or of the door."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import sys
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from lb.apps.run import cgroup, process_tree
from lb.apps.run.exit import Exit
from lb.apps.run.identity import Identity
from lb.apps.run.isolation import IsolationError, IsolationLadder, probe, scope_for
from lb.apps.run.order import InstanceFacts, InstanceOrder, Isolation, Network
from lb.apps.run.port_claim import PortClaim, claim_port
from lb.apps.run.ports import NoPortError, PortPool, claim_free_port
from lb.apps.run.run_directory import RunDirectory, directories, effective_root
from lb.apps.run.shim_client import ShimClient, ShimGoneError
from lb.apps.run.shim_order import command, instance_group, scratch, shim_order, wants_port
from lb.apps.run.standard_input import StandardInput
from lb.apps.run.usage import Usage, measure

_START = Path(__file__).with_name("shim_start.py")
_KEPT = ("LD_LIBRARY_PATH", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")  # what Python and systemd-run may need
_READY = 20.0  # seconds in which a shim says that it has begun
_OVERTIME = 10.0  # seconds after the end of a grace that a shim has for the end of its app
_AGAIN = 0.05  # seconds between two looks at a shim that neither answers nor has ended


@cache
def ladder(wanted: Isolation) -> IsolationLadder:
    """The machine's ladder for a wanted rung: tried once, since each trial starts processes. Turns cgroup limits on."""
    found = probe(wanted)
    return replace(found, cgroups=cgroup.prepare(found.cgroups))


_pool = cache(PortPool)


class LaunchError(Exception):
    """The instance could not be started at all: a sentence and the next step."""

    def __init__(self, sentence: str, next_step: str = "") -> None:
        super().__init__(f"{sentence} {next_step}".strip())
        self.sentence = sentence
        self.next_step = next_step


@dataclass(frozen=True, slots=True)
class _Held:
    """What this process keeps for an instance: gone with the process, and no loss for one that is adopted."""

    claim: PortClaim | None = None
    stdin: StandardInput | None = None

    def release(self) -> None:
        if self.claim is not None:
            self.claim.release()
        if self.stdin is not None:
            self.stdin.close()


class LaunchedInstance:
    """One instance whose shim was started or found. Nothing is sent to a process that is not its own."""

    def __init__(
        self, facts: InstanceFacts, place: RunDirectory, shim: Identity | None, held: _Held | None = None
    ) -> None:
        self.facts = facts
        self._place = place
        self._shim = shim
        self._held = held or _Held()
        self._client = ShimClient(place.control)
        self._exit: Exit | None = None

    @property
    def id(self) -> str:
        return self.facts.id

    @property
    def endpoint(self) -> str:
        return self.facts.endpoint

    @property
    def port(self) -> int:
        """Its port in this machine's network; 0 if it has none."""
        return _port(self.facts)

    async def terminate(self, grace: float | None = None) -> Exit:
        """SIGTERM, after `grace` seconds (the order's stop_timeout) the end of everything that is left."""
        grace = self.facts.stop_timeout if grace is None else grace
        return await self._end({"what": "term", "grace": grace}, grace)

    async def kill(self) -> Exit:
        """Ends everything at once."""
        return await self._end({"what": "kill"}, 0.0)

    async def _end(self, request: dict[str, Any], grace: float) -> Exit:
        try:
            async with asyncio.timeout(grace + _OVERTIME):
                try:
                    await self._client.ask(**request)
                except ShimGoneError:
                    if self._shim is not None and self._shim.alive() and await self._client.peer() == self._shim.pid:
                        self._shim.send(signal.SIGKILL)  # it hangs; what it has left behind is ended below
                return await self.wait_exit()
        except TimeoutError:
            if self._shim is not None and await self._client.peer() == self._shim.pid:
                self._shim.send(signal.SIGKILL)
            return await self.wait_exit()

    async def wait_exit(self) -> Exit:
        """Returns when it has ended, for whatever reason, and nothing of it is left."""
        while self._exit is None:
            try:
                reply = await self._client.ask("wait", forever=True)
                self._exit = Exit.from_json(reply["exit"])
            except (ShimGoneError, KeyError):
                record = self._place.read_exit()
                if record is not None:
                    self._exit = Exit.from_json(record)
                elif self._shim is None or not self._shim.alive():
                    await asyncio.to_thread(self._end_leftovers)
                    self._exit = Exit(cause="lost", at=time.time())
                else:
                    await asyncio.sleep(_AGAIN)
        return self._exit

    def _end_leftovers(self) -> None:
        if self.facts.group:
            cgroup.end(self.facts.group)
        end_marked(mark(self.facts))

    @property
    def ended(self) -> bool:
        """Whether it has ended already, as far as can be seen without waiting."""
        return (
            self._exit is not None or self._place.exit_record.exists() or self._shim is None or not self._shim.alive()
        )

    async def statistics(self) -> Usage:
        """What it uses now; all zero if it has ended."""
        return await asyncio.to_thread(measure, await self._stat())

    async def pids(self) -> list[int]:
        """All of its processes, those of the sandbox too."""
        return [int(pid) for pid in (await self._stat()).get("pids", ())]

    async def _stat(self) -> dict[str, Any]:
        try:
            return await self._client.ask("stat")
        except ShimGoneError:
            return {}

    async def last_lines(self, count: int = 20) -> tuple[str, ...]:
        """The last lines that it wrote, also those that the rate kept out of the log."""
        try:
            reply = await self._client.ask("tail", count=count)
        except ShimGoneError:
            return Exit.from_json(self._place.read_exit() or {}).lines[-count:]
        return tuple(str(line) for line in reply.get("lines", ()))

    async def write_stdin(self, data: bytes) -> bool:
        """Gives it standard input, if its order says so; `b""` ends that. False once it reads no more."""
        stdin = self._held.stdin
        if stdin is None:
            return False
        if data:
            return await stdin.write(data)
        stdin.close()
        return True

    async def find_shim(self) -> None:
        """A shim whose start was given up may be about to begin."""
        self._shim = Identity.from_json((await _late_record(self._place) or {}).get("shim"))

    def forget(self) -> None:
        """Removes its directories, with its files, once it has ended and its exit was read."""
        self._held.release()
        self._place.remove()
        if self.facts.group:
            cgroup.remove(self.facts.group)
        if self.facts.scratch:
            shutil.rmtree(self.facts.scratch, ignore_errors=True)


def _port(facts: InstanceFacts) -> int:
    return int(facts.endpoint.rpartition(":")[2]) if facts.endpoint and not facts.endpoint.startswith("unix:") else 0


def mark(facts: InstanceFacts) -> str:
    """What stands in the environment of each of its processes."""
    return f"LB_INSTANCE={facts.id}-{facts.token}"


async def launch(order: InstanceOrder, run_root: Path) -> LaunchedInstance:
    """Starts an instance; it is not healthy yet. Raises LaunchError."""
    try:
        found = await asyncio.to_thread(ladder, order.isolation)
        place, claim = _prepare(order, run_root, found)
    except IsolationError as error:
        raise LaunchError(error.sentence, error.next_step) from error
    except NoPortError as error:
        raise LaunchError(f"{error}.") from error
    except OSError as error:
        raise LaunchError(f"The instance's directory could not be made: {error}.") from error
    facts = _facts(order, place, found, claim.port if claim is not None else 0)
    stdin = None
    try:
        stdin = StandardInput(place.stdin) if order.stdin else None
        shim = await _start_shim(order, facts, place, found)
        if stdin is not None:
            stdin.begin()
    except (LaunchError, OSError, asyncio.CancelledError) as error:
        await _undo(LaunchedInstance(facts, place, None, _Held(claim, stdin)))
        if isinstance(error, OSError):
            raise LaunchError(f"The shim could not be started: {error}.") from error
        raise
    return LaunchedInstance(facts, place, shim, _Held(claim, stdin))


def _prepare(order: InstanceOrder, run_root: Path, found: IsolationLadder) -> tuple[RunDirectory, PortClaim | None]:
    """The instance's directory and, where it wants one, a port. Raises LaunchError, NoPortError, OSError."""
    if order.network is Network.PRIVATE and wants_port(order) and not found.pasta:
        raise LaunchError("network: private needs pasta, which is not installed.", "Run: apt-get install -y passt")
    place = RunDirectory(effective_root(run_root) / secrets.token_hex(4))
    claim = claim_free_port(_pool(order.ports)) if wants_port(order) else None
    try:
        place.make()
        order.log_dir.mkdir(parents=True, exist_ok=True)
    except OSError:
        if claim is not None:
            claim.release()
        raise
    return place, claim


async def _start_shim(
    order: InstanceOrder, facts: InstanceFacts, place: RunDirectory, found: IsolationLadder
) -> Identity | None:
    for name in ("home", "tmp") if facts.scratch else ():
        (Path(facts.scratch) / name).mkdir(parents=True, mode=0o700)
    wanted = command(order, place, found, _port(facts), mark(facts).partition("=")[2])
    text = json.dumps(shim_order(order, facts, wanted, found, str(place.stdin) if order.stdin else "")).encode()
    process = await asyncio.create_subprocess_exec(
        *scope_for(found, facts.id, order.memory, order.cpus, order.pids),
        *(sys.executable, "-I", "-S", str(_START), str(place.path)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={name: os.environ[name] for name in _KEPT if name in os.environ},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_READY):
            said, complaints = await process.communicate(text)
    except asyncio.CancelledError:
        if process.returncode is None:
            process.kill()
        raise
    except TimeoutError:
        process.kill()
        raise LaunchError(
            f"The shim did not begin within {_READY:g} s.", "Try again when the machine is less busy."
        ) from None
    record = place.read_instance()
    if said != b"ready\n" or record is None:
        words = complaints.decode("utf-8", "replace").strip().splitlines()[-1:] or [f"status {process.returncode}"]
        raise LaunchError(f"The shim could not begin: {words[0]}.", "lb doctor --engine shows what is missing.")
    return Identity.from_json(record.get("shim"))


async def _undo(begun: LaunchedInstance) -> None:
    """Ends what a start that failed, or was given up, has left: its shim may have begun all the same."""
    await begun.find_shim()
    await begun.kill()
    begun.forget()


def _facts(order: InstanceOrder, place: RunDirectory, found: IsolationLadder, port: int) -> InstanceFacts:
    endpoint = ""
    if order.listens:
        endpoint = f"127.0.0.1:{port}" if port else f"unix:{place.socket}"
    return InstanceFacts(
        id=place.id,
        token=secrets.token_hex(16),
        app=order.app,
        environment=order.environment,
        name=order.name,
        tag=order.platform.version_tag,
        release=str(order.release),
        endpoint=endpoint,
        isolation=found.rung,
        network=order.network,
        memory=order.memory,
        quota=order.quota,
        stop_timeout=order.stop_timeout,
        log_dir=str(order.log_dir),
        started=time.time(),
        scratch="" if found.bwrap else str(scratch(order, place)),
        group=str(instance_group(order, found, place.id) or ""),
    )


async def adopt(run_root: Path) -> list[LaunchedInstance]:
    """The instances under `run_root`, also ended ones whose exit nobody has read (their `wait_exit` returns at once).

    After a reboot there is none. What was left of a start that never came to its end is removed.
    """
    found = [await _adopt(place) for place in directories(run_root)]
    return [running for running in found if running is not None]


async def _adopt(place: RunDirectory) -> LaunchedInstance | None:
    record = place.read_instance() or await _late_record(place)
    facts = _read_facts(record or {})
    shim = Identity.from_json((record or {}).get("shim"))
    if facts is None or shim is None or facts.id != place.id or shim.boot != process_tree.boot_id():
        place.remove()
        return None
    if shim.alive() and await ShimClient(place.control).peer() != shim.pid and not place.exit_record.exists():
        shim = None  # whoever this is, it is not the shim: the instance is lost, and the process is left alone
    port = _port(facts)
    return LaunchedInstance(facts, place, shim, _Held(claim_port(port) if port else None))


async def _late_record(place: RunDirectory) -> dict[str, Any] | None:
    """A shim may just have begun when the engine that started it was killed."""
    for _ in range(20):
        if not place.control.exists():
            return None
        if place.instance_record.exists():
            break
        await asyncio.sleep(_AGAIN)
    return place.read_instance()


def _read_facts(record: dict[str, Any]) -> InstanceFacts | None:
    known = InstanceFacts.__dataclass_fields__
    try:
        given = {name: value for name, value in record["facts"].items() if name in known}
        given["isolation"], given["network"] = Isolation(given["isolation"]), Network(given["network"])
        return InstanceFacts(**given)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def end_marked(wanted: str) -> None:
    """Ends what a lost shim has left: only processes that carry the instance's own mark."""
    for _ in range(100):
        found = [Identity.of(pid) for pid in process_tree.marked(wanted)]
        if not [identity.send(signal.SIGKILL) for identity in found if identity.alive()]:
            return
        time.sleep(0.01)  # a killed process is gone in a moment, and new ones of a fork bomb may have come
