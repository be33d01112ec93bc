"""A store, a CA or two and a clock that only the test moves: the manager's whole world, without a network or a wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lb.config.acme import Acme
from lb.tls.acme.certificate_info import CertificateInfo, parse_held
from lb.tls.acme.challenge import Proof
from lb.tls.acme.client import AcmeClient
from lb.tls.acme.desired import CertificatePlan, DesiredCertificate
from lb.tls.acme.manager import CertificateManager, Clock
from lb.tls.acme.preflight import Preflight
from lb.tls.acme.session import open_session
from lb.tls.acme.store import Store
from tests.tls.acme.server import FakeCa

START = 1_800_000_000.0


class NoReach(Preflight):
    """Our own listeners show everything, unless `shows` says otherwise."""

    def __init__(self) -> None:
        super().__init__((), ())

    async def check(self, proof: Proof) -> None:
        pass

    async def warn(self, proof: Proof) -> None:
        pass


class World:
    """`time` is the only clock, of us and of the CAs; `offset` is how far ours is ahead of theirs."""

    def __init__(self, directory: Path) -> None:
        self.time = START
        self.offset = 0.0
        self.store = Store(directory / "store")
        self.store.prepare()
        self.cas: list[FakeCa] = []
        self.reach: Preflight = NoReach()
        self.store_class: Callable[[Path], Store] = Store
        self.client_class: type[AcmeClient] = AcmeClient

    def now(self) -> float:
        return self.time + self.offset

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        await asyncio.sleep(0)

    async def add_ca(self, **options: Any) -> FakeCa:
        ca = FakeCa(lambda: self.time, self.sees, **options)
        await ca.start()
        self.cas.append(ca)
        return ca

    def sees(self, kind: str, _name: str, token: str, authorization: str) -> bool:
        """What a CA finds when it looks for a proof."""
        if kind != "http-01":
            return True
        path = self.store.challenges / token
        return path.exists() and path.read_text() == authorization

    def acme(self, **options: Any) -> Acme:
        directories = [f"{ca.base}/directory" for ca in self.cas]
        if len(directories) > 1:
            options.setdefault("fallback", directories[1])
        return Acme.model_validate(
            {"directory": directories[0], "agree_to_terms": True, "email": "ops@example.com", **options}
        )

    @asynccontextmanager
    async def manager(
        self, *names: str, acme: Acme | None = None, wanted: tuple[DesiredCertificate, ...] = ()
    ) -> AsyncIterator[CertificateManager]:
        """A front door's manager over the store, as after a start."""
        settings = acme or self.acme()
        async with open_session() as session:
            clients = [self.client_class(session, server, self.now) for server in settings.servers]
            clock = Clock(self.now, self.sleep)
            types = settings.challenges or ("http-01", "tls-alpn-01")
            manager = CertificateManager(
                settings, types, self.store_class(self.store.root), clients, (self.reach, clock)
            )
            manager.adopt(CertificatePlan((*(DesiredCertificate(name, (name,)) for name in names), *wanted), ()))
            try:
                yield manager
            finally:
                await manager.stop()

    async def run(self, manager: CertificateManager, seconds: float) -> None:
        """Lets so much time go by, as quickly as things happen in it."""
        end = self.time + seconds
        manager.reread()
        while True:
            manager.look()
            await manager.wait_idle()
            soonest = manager.look() - self.offset
            await manager.wait_idle()
            if self.time >= end:
                return
            self.time = min(max(soonest, self.time + 1), end)

    def held(self, name: str) -> CertificateInfo | None:
        found = self.store.certificate(name)
        return None if found is None else parse_held(found)

    async def close(self) -> None:
        for ca in self.cas:
            await ca.stop()
