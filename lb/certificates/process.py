"""The process that obtains certificates: an event loop around the manager, and the line to the supervisor.

It knows signals, the channel and when to check again; what is wanted, and how to get it, is decided by the manager. It
shares only the store with the workers: a worker that hears `certificates` reads the store. No process that serves apps
imports aiohttp.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import aiohttp

from lb.certificates.watch_process import keep_up
from lb.config.acme import Acme
from lb.config.model import CertificateFiles
from lb.config.plan import TlsPlan
from lb.process.assistant import AssistantChannel, prepare_assistant
from lb.process.channel import Message
from lb.process.verbs import Verb
from lb.tls.acme.client import AcmeClient
from lb.tls.acme.desired import certificate_plan
from lb.tls.acme.errors import AcmeError
from lb.tls.acme.manager import CertificateManager, Clock
from lb.tls.acme.on_demand import OnDemandPolicy
from lb.tls.acme.preflight import Endpoint, Preflight
from lb.tls.acme.session import open_session
from lb.tls.acme.store import Store, StoreWatch
from lb.tls.files.certificate import Certificate, TlsError
from lb.tls.files.certificate_cache import CertificateCache
from lb.tls.files.watcher import CertificateWatcher

log = logging.getLogger("lb.certificates")

_LOOK = 30.0  # longest time in seconds between two checks of what is due: the clock may have jumped
_MOST_MISSING = 1000
_TICK = 0.5  # seconds between two checks of the store for changes
_BREATH = 0.02  # shortest time in seconds between two checks: a file's time is no finer than the system's tick
_RETRY_STORE = 30.0  # seconds until an unusable store is tried again


@dataclass(frozen=True, slots=True)
class CertificatesAssignment:
    """Everything that the process inherits: `http` and `https` are where the workers listen, `upkeep` watches the files
    and tickets, `demanded` may know a name that a client asked for, `shelf` holds certificate files read before.
    """

    plan: TlsPlan
    http: tuple[Endpoint, ...]
    https: tuple[Endpoint, ...]
    upkeep: CertificateWatcher
    demanded: Callable[[str], bool]
    shelf: CertificateCache


def run_certificates(assignment: CertificatesAssignment, line: socket.socket) -> int:
    """Works until SIGTERM or the supervisor's death; returns the exit status 0."""
    prepare_assistant()
    acme = assignment.plan.settings.acme
    assert acme is not None  # noqa: S101  without ACME this process is not started
    loop = asyncio.new_event_loop()
    # Not `asyncio.run`: it waits for threads at its end, and a resolver without a network blocks one for long.
    loop.run_until_complete(_Certificates(loop, assignment, acme, line).live())
    return 0


class _Certificates:
    def __init__(
        self, loop: asyncio.AbstractEventLoop, assignment: CertificatesAssignment, acme: Acme, line: socket.socket
    ) -> None:
        self._plan = assignment.plan
        self._acme = acme
        self._assignment = assignment
        self._store = Store(assignment.plan.settings.store)
        self._ended = asyncio.Event()
        self._stirred = asyncio.Event()  # set when something has to be checked
        loop.add_signal_handler(signal.SIGTERM, self._end)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))  # SIGUSR1 stays blocked: no log to reopen
        self._missing: list[str] = []  # names that clients have asked for since the last check
        self._channel = AssistantChannel(loop, line, self._end, self._heard)
        keep_up(loop, assignment.upkeep, self._channel)

    async def live(self) -> None:
        self._channel.say_ready()
        try:
            if await self._prepare_store():
                async with open_session() as session:
                    await self._keep(session)
        finally:
            self._channel.close()

    def _end(self) -> None:
        self._ended.set()
        self._stirred.set()

    def _heard(self, message: Message) -> None:
        if message.verb is Verb.MISSING and message.rest and self._assignment.demanded(message.rest):
            self._channel.say(Verb.CERTIFICATES)
        elif message.verb is Verb.MISSING and len(self._missing) < _MOST_MISSING:
            self._missing.append(message.rest)
            self._stirred.set()
        message.drop()

    async def _prepare_store(self) -> bool:
        """Whether the store is usable; without it no certificate could be kept, so none is ordered."""
        while not self._ended.is_set():
            try:
                self._store.prepare()
                self._store.sweep()
            except OSError as error:
                log.error("certificates cannot be stored in %s: %s", self._store.root, error.strerror)  # noqa: TRY400
                await self._wait(_RETRY_STORE)
            else:
                return True
        return False

    async def _keep(self, session: aiohttp.ClientSession) -> None:
        clients = await self._clients(session)
        reach = Preflight(self._assignment.http, self._assignment.https)
        clock = Clock(time.time, asyncio.sleep)
        types = self._plan.challenge_types
        on_demand, wildcards = self._plan.settings.on_demand, self._plan.demanded_wildcards
        demand = OnDemandPolicy(session, on_demand.ask, wildcards) if on_demand is not None and wildcards else None
        manager = CertificateManager(self._acme, types, self._store, clients, (reach, clock), demand)
        plan = certificate_plan(self._plan, covered_by(self._plan.settings.certificates, self._assignment.shelf))
        for warning in plan.warnings:
            log.warning(warning)
        watch = StoreWatch(self._store)
        manager.on_denied = partial(self._channel.say, Verb.DENIED)
        manager.on_outcome = self._stirred.set
        manager.adopt(plan)
        due = again = 0.0
        while not self._ended.is_set():
            stirred = self._stirred.is_set()
            self._stirred.clear()
            if watch.changed():
                manager.reread()
                self._channel.say(Verb.CERTIFICATES)
                due = 0.0
            missing, self._missing = self._missing, []
            for name in missing:
                manager.demanded(name)
            if missing or stirred or time.time() >= due or time.monotonic() >= again or not manager.idle:
                due = manager.look()
                again = time.monotonic() + _LOOK
            await self._wait(_TICK, self._stirred)
            await asyncio.sleep(_BREATH)
        await manager.stop()

    async def _clients(self, session: aiohttp.ClientSession) -> Sequence[AcmeClient]:
        """The CAs that can be used; what prevents the use of one is logged until it is fixed."""
        while True:
            clients = []
            for server in self._acme.servers:
                try:
                    clients.append(AcmeClient(session, server))
                except AcmeError as error:
                    log.error("%s", error.message)  # noqa: TRY400
            if clients or self._ended.is_set():
                return clients
            await self._wait(_RETRY_STORE)

    async def _wait(self, seconds: float, event: asyncio.Event | None = None) -> None:
        """Waits so long, or until `event`; without one, until the end of the process."""
        try:
            async with asyncio.timeout(seconds):
                await (event or self._ended).wait()
        except TimeoutError:
            return


def covered_by(files: Iterable[CertificateFiles], shelf: CertificateCache) -> Callable[[str], bool]:
    """Tells whether a certificate file of the configuration covers a name."""
    certificates: list[Certificate] = []
    for pair in files:
        try:
            certificates.append(shelf.parse(str(pair.cert), str(pair.key)))
        except TlsError as error:
            log.warning("%s", error)

    def is_covered(name: str) -> bool:
        if name.startswith("*."):
            return any(name in one.names for one in certificates)
        return any(one.covers(name) for one in certificates)

    return is_covered
