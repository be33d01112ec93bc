"""Maintains the certificates that are wanted: starts what is due, a few at a time, and remembers the outcome.

This file knows the plan, the store and the clock, and connects decisions (managed, policy) with actions (order, ari).
It does not know processes: it is told when to look, and the workers find new certificates in the store.

Nothing is decided by waiting: every look compares what is held and remembered with the present time of day, so a clock
that jumps, a machine that slept or a store that another lb changed need no handling of their own.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from lb.config.acme import Acme, ChallengeType
from lb.tls.acme import ari
from lb.tls.acme.account import forget_account, open_account, roll_over
from lb.tls.acme.certificate_info import HeldFiles
from lb.tls.acme.challenge import Proof
from lb.tls.acme.client import AcmeClient
from lb.tls.acme.desired import CertificatePlan, DesiredCertificate
from lb.tls.acme.errors import AcmeError, Kind
from lb.tls.acme.managed import ManagedCertificate
from lb.tls.acme.on_demand import OnDemandPolicy
from lb.tls.acme.order import CertificateRequest, Order, OrderContext
from lb.tls.acme.policy import DAY, HOUR, Failure, after_failure, chance
from lb.tls.acme.preflight import Preflight
from lb.tls.acme.state import State, from_json, to_json
from lb.tls.acme.store import ACCOUNT_KEY, Store, unstem

log = logging.getLogger("lb.certificates")

AT_ONCE = 8  # orders under way at one time
_QUESTIONS = 32  # about names on demand, under way at one time: a slow endpoint does not block orders
_ELSEWHERE = 10.0  # seconds until the next look at a name that another lb works on
_LIMITED_IN_A_ROW = 3  # names for which a CA's rate limit was reached, until that counts for all of ours
_MOST = 100_000  # the limit on certificates
_TRUSTED_SKEW = HOUR  # by which our clock may differ from a CA's


@dataclass(frozen=True, slots=True)
class Clock:
    """`now` is the time of day in seconds since the epoch; `sleep` waits that many seconds."""

    now: Callable[[], float]
    sleep: Callable[[float], Coroutine[Any, Any, None]]


class CertificateManager:
    """`clients` are the CAs in order of preference."""

    def __init__(
        self,
        acme: Acme,
        types: tuple[ChallengeType, ...],
        store: Store,
        clients: Sequence[AcmeClient],
        surroundings: tuple[Preflight, Clock],
        demand: OnDemandPolicy | None = None,
    ) -> None:
        self._acme = acme
        self._types = types
        self._store = store
        self._clients = {client.server.directory: client for client in clients}
        self._reach, self._clock = surroundings
        self._demand = demand
        self._files = HeldFiles()
        self._entries: dict[str, ManagedCertificate] = {}
        self._pauses: dict[str, Failure] = {}
        self._limited: dict[str, int] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._room, self._questions = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(_QUESTIONS)
        self._status: list[dict[str, Any]] | None = None
        self._awaited: set[str] = set()  # names that handshakes wait for
        self.on_denied: Callable[[str], None] = lambda _: None
        """Called with names that handshakes wait for (see `demanded`) and that get no certificate for now."""
        self.on_outcome: Callable[[], None] = lambda: None
        """Called when an attempt at such a name has ended: it is time to look at the store, and at what is due."""

    # What is wanted

    def adopt(self, plan: CertificatePlan) -> None:
        """From now on these certificates are maintained; those no longer wanted are left as they are."""
        before = self._entries
        self._entries = {one.name: before.get(one.name) or ManagedCertificate(one) for one in plan.wanted}
        for one in plan.wanted:
            self._entries[one.name].wanted = one
        self._adopt_demanded()
        self.reread()
        for name, entry in self._entries.items():
            if name not in self._running:
                self._complete(entry)

    def demanded(self, name: str) -> None:
        """A client waits for a certificate for this name. If it gets none now, `on_denied` is called."""
        demand, known = self._demand, self._entries
        if name not in known and len(known) < _MOST and demand is not None and demand.admits(name, self._clock.now()):
            known[name] = ManagedCertificate(DesiredCertificate(name, (name,)), state=State(on_demand=True))
        self._awaited.add(name)
        self._conclude(name)

    def _conclude(self, name: str) -> None:
        """Do not let handshakes wait in vain; a certificate that exists is found in the store."""
        if name not in self._awaited or name in self._running:
            return
        entry, now = self._entries.get(name), self._clock.now()
        if entry is not None and not (entry.held is not None and entry.fits and entry.held.not_after > now):
            if entry.next_attempt(tuple(self._clients), self._pauses, now)[0] <= now + _ELSEWHERE:
                return  # it is tried again soon, or another lb is working on it
            entry = None
        self._awaited.discard(name)
        if entry is None:
            self.on_denied(name)

    def _adopt_demanded(self) -> None:
        """Go on maintaining what was obtained on demand before."""
        for path in () if self._demand is None else self._store.certificate_paths():
            name = unstem(path.stem)
            if name not in self._entries and from_json(self._store.state(name)).on_demand:
                self._entries[name] = ManagedCertificate(DesiredCertificate(name, (name,)))

    def reread(self) -> None:
        """Read the store again: another lb, or a command, may have changed it."""
        for name, entry in self._entries.items():
            if name not in self._running:
                self._read(entry)
        for request in self._store.requests():
            self._take(request)

    def _read(self, entry: ManagedCertificate) -> None:
        name = entry.wanted.name
        entry.held = self._files.read(self._store.certificate_file(name))
        found = self._store.state(name)
        if found is not None or not entry.state.on_demand:
            entry.state = from_json(found)

    def _complete(self, entry: ManagedCertificate) -> None:
        """Note the outcome of an order whose certificate was installed before a process ended."""
        name = entry.wanted.name
        key = self._store.order_key(name)
        installed = self._store.certificate(name) if key else None
        if not key or installed is None or not installed.startswith(key.rstrip(b"\n")):
            return
        record = self._store.order(name)
        with self._store.lock(name) as ours:
            if ours:
                self._note_success(entry, entry.state.ca if record is None else str(record.get("directory", "")))

    def _take(self, request: str) -> None:
        """A request stays in the store until it is done, so that a crash does not lose it."""
        if request == ACCOUNT_KEY:
            if request not in self._running:
                self._start(request, self._roll_over())
        elif request in self._entries:
            self._entries[request].asked = True
        else:
            log.warning("renewal of %s was requested, but it is not obtained by ACME here", request)
            self._store.take_request(request)

    # Looking

    def look(self) -> float:
        """Start what is due, and return when the next thing is, in seconds since the epoch."""
        now = self._clock.now()
        soonest = now + DAY
        for name, entry in sorted(self._entries.items(), key=lambda item: item[1].due()):
            if name in self._running:
                continue
            at, ca = entry.next_attempt(tuple(self._clients), self._pauses, now)
            if ca is not None:
                self._start(name, self._attempt(entry))
            elif entry.look_due(now):
                self._start(name, self._ask_about(entry))
            else:
                renewal = entry.state.renewal
                soonest = min(soonest, at, soonest if renewal is None else renewal.next_look)
        self.write_status()
        return soonest

    @property
    def idle(self) -> bool:
        return not self._running

    async def wait_idle(self) -> None:
        """Wait until nothing is under way."""
        while self._running or self._background:
            await asyncio.wait([*self._running.values(), *self._background])
            await asyncio.sleep(0)

    async def stop(self) -> None:
        """Cancel what is under way: it is continued at the next start."""
        tasks = [*self._running.values(), *self._background]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=5)

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running[name] = task
        task.add_done_callback(lambda done: self._ended(name, done))

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        del self._running[name]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: internal error", name, exc_info=error)
            entry = self._entries.get(name)
            if entry is not None:
                entry.busy_until = self._clock.now() + HOUR
        if name in self._awaited and not task.cancelled():
            self._conclude(name)
            self.on_outcome()

    # Attempts

    async def _attempt(self, entry: ManagedCertificate) -> None:
        name, cas = entry.wanted.name, tuple(self._clients)
        if not await self._may(entry):
            return
        async with self._room:
            now = self._clock.now()
            if entry.next_attempt(cas, self._pauses, now)[1] is None:
                return  # while this one was queued, others have found that the CA is down
            with self._store.lock(name) as ours:
                if not ours:
                    entry.busy_until = now + _ELSEWHERE
                    return
                self._read(entry)  # another lb may have done it just now
                _, ca = entry.next_attempt(cas, self._pauses, now)
                if ca is None:
                    return
                try:
                    await self._obtain(entry, self._clients[ca])
                except AcmeError as error:
                    self._failed(entry, self._clients[ca], error)
                except OSError as error:
                    said = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
                    self._failed(entry, self._clients[ca], AcmeError(Kind.HERE, f"{name}: the store: {said}"))
                else:
                    self._succeeded(entry, ca)
                self._answer(entry)

    def _answer(self, entry: ManagedCertificate) -> None:
        """The renewal just attempted may have been requested."""
        if entry.asked:
            entry.asked = False
            self._store.take_request(entry.wanted.name)

    async def _may(self, entry: ManagedCertificate) -> bool:
        """Whether a name from a handshake may have a certificate, or have it renewed."""
        name = entry.wanted.name
        if not entry.state.on_demand or self._demand is None:
            return True
        try:
            async with self._questions:
                allowed = await self._demand.may(name)
        except AcmeError as error:
            if entry.held is None:
                self._entries.pop(name, None)  # the next handshake asks again; names from anyone must not accumulate
            _, ca = entry.next_attempt(tuple(self._clients), self._pauses, self._clock.now())
            if ca is not None:
                self._failed(entry, self._clients[ca], error)
            self._answer(entry)
            return False
        if not allowed:
            log.info("%s: denied: tls.on_demand.ask did not allow this name", name)
            self._entries.pop(name, None)
        return allowed

    async def _obtain(self, entry: ManagedCertificate, client: AcmeClient) -> None:
        held, ca = entry.held, client.server.directory
        await self._trust_clock(entry, client)
        replaces = held.ari if held is not None and entry.state.ca == ca and entry.fits else ""
        wish = CertificateRequest(
            entry.wanted.name,
            entry.wanted.names,
            client.server.profile,
            self._acme.key_type,
            replaces,
            self._types,
            entry.state.proofs_failed,
        )
        try:
            await self._order(client, wish)
        except AcmeError as error:
            if not forget_account(client, self._store, error):
                raise
            log.warning("%s no longer knows our account: creating a new one", client.host)
            await self._order(client, wish)

    async def _order(self, client: AcmeClient, wish: CertificateRequest) -> None:
        account = await open_account(client, self._store, self._acme.email)
        means = OrderContext(self._store, self._acme.dns_hook or (), self._clock.now, self._clock.sleep, self._check)
        await Order(client, account, wish, means).obtain()

    async def _check(self, proof: Proof) -> None:
        await self._reach.check(proof)
        task = asyncio.get_running_loop().create_task(self._reach.warn(proof))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _trust_clock(self, entry: ManagedCertificate, client: AcmeClient) -> None:
        """Renewing by a wrong clock would waste certificates. Raises AcmeError if the CA's clock disagrees."""
        if entry.held is None or entry.asked or not entry.fits:
            return
        await client.get(client.server.directory)
        ahead = -client.skew
        if ahead > _TRUSTED_SKEW and entry.due() > self._clock.now() - ahead:
            said = f"this machine's clock is {ahead / HOUR:.0f} hours ahead of that of {client.host}"
            raise AcmeError(Kind.HERE, f"{entry.wanted.name}: not renewed: {said}")

    def _succeeded(self, entry: ManagedCertificate, ca: str) -> None:
        self._note_success(entry, ca)
        self._pauses.pop(ca, None)
        self._limited.pop(ca, None)
        until = "" if entry.held is None else f" until {_date(entry.held.not_after)}"
        log.info("%s: certificate from %s%s", ", ".join(entry.wanted.names), self._clients[ca].host, until)

    def _note_success(self, entry: ManagedCertificate, ca: str) -> None:
        entry.held = self._files.read(self._store.certificate_file(entry.wanted.name))
        entry.state = State(ca=ca, on_demand=entry.state.on_demand)
        self._save(entry)
        self._store.drop_order(entry.wanted.name)

    def _failed(self, entry: ManagedCertificate, client: AcmeClient, error: AcmeError) -> None:
        ca, now = client.server.directory, self._clock.now()
        self._limited[ca] = self._limited.get(ca, 0) + 1 if error.problem == "rateLimited" else 0
        if error.of_the_ca or self._limited[ca] >= _LIMITED_IN_A_ROW:
            self._pause(client, error, now)
        if error.of_the_ca:
            return  # the failure does not concern the name
        name = entry.wanted.name
        if name not in self._entries:
            log.warning("%s", error.message)
            return
        failure = after_failure(ca, error, before=entry.state.failure(ca), now=now, luck=chance(name, now))
        entry.state = entry.state.failed(failure)
        self._save(entry)
        level = logging.ERROR if entry.is_urgent(now) else logging.WARNING
        log.log(level, "%s: no certificate: %s; next attempt %s", name, error.message, _date(failure.next_at))

    def _pause(self, client: AcmeClient, error: AcmeError, now: float) -> None:
        """One name's failure spares the others the same attempt."""
        ca = client.server.directory
        before = self._pauses.get(ca)
        if before is None or not before.holds_back(now):
            pause = self._pauses[ca] = after_failure(ca, error, before=before, now=now, luck=chance(ca, now))
            log.error("no certificates for now: %s; next attempt %s", error.message, _date(pause.next_at))

    def _save(self, entry: ManagedCertificate) -> None:
        try:
            self._store.save_state(entry.wanted.name, to_json(entry.state))
        except OSError as error:
            log.error("%s: the outcome cannot be saved: %s", entry.wanted.name, error)  # noqa: TRY400

    # Renewal information, the account's key

    async def _ask_about(self, entry: ManagedCertificate) -> None:
        """Ask the CA that issued a certificate when to renew it."""
        client, held, now = self._clients.get(entry.state.ca), entry.held, self._clock.now()
        renewal: ari.Renewal | None = None
        async with self._room:
            if client is not None and held is not None:
                try:
                    renewal = await ari.ask(client, held.ari, now, entry.state.renewal)
                except AcmeError as error:
                    log.info("%s: no renewal information: %s", entry.wanted.name, error.message)
        before = entry.state.renewal
        known = before or ari.Renewal("" if held is None else held.ari, None, "", now)
        entry.state = replace(entry.state, renewal=renewal or replace(known, next_look=now + 6 * HOUR))
        if renewal is None:
            return
        self._save(entry)
        if renewal.explanation and (before is None or before.window != renewal.window):
            log.warning("%s: the CA requests its renewal: %s", entry.wanted.name, renewal.explanation)

    async def _roll_over(self) -> None:
        for client in self._clients.values():
            try:
                await roll_over(client, self._store, self._acme.email)
            except (AcmeError, OSError) as error:
                log.error("the account at %s keeps its key: %s", client.host, error)  # noqa: TRY400
        self._store.take_request(ACCOUNT_KEY)

    # Status

    def write_status(self) -> None:
        """Write what is planned, for people to see, if it has changed."""
        now, cas = self._clock.now(), tuple(self._clients)
        pause = next((one for one in self._pauses.values() if one.holds_back(now)), None)
        found = []
        for name, entry in self._entries.items():
            at, _ = entry.next_attempt(cas, self._pauses, now)
            under_way = name in self._running
            shown = entry.as_status(None if under_way else at, pause if entry.due() <= now else None)
            found.append({**shown, "under_way": under_way})
        if found == self._status and self._store.show_life():
            return
        self._status = found
        try:
            self._store.save_status({"pid": os.getpid(), "written": now, "certificates": found})
        except OSError as error:
            log.error("the status cannot be written: %s", error)  # noqa: TRY400


def _date(time: float) -> str:
    try:
        return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, OSError, ValueError):
        return "never"
