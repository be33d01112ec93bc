"""A certificate authority with faults (`tests.tls.acme.server`) and an operator's endpoint, for front doors that run.

Both serve on an event loop in a thread of their own; what a test changes of them is one assignment, or one more fault.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.tls.acme.server import FakeCa


@dataclass
class Demanded:
    """`allowed` says which names may have a certificate, `asked` which were asked about; an answer comes `after` so
    many seconds.
    """

    ca: FakeCa
    url: str = ""
    allowed: Callable[[str], bool] = lambda _: True
    after: float = 0.0
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        name = request.query["domain"]
        self.asked.append(name)
        await asyncio.sleep(self.after)
        return web.Response(status=200 if self.allowed(name) else 404)

    def tls(self, **on_demand: Any) -> dict[str, Any]:
        """The section `tls` for certificates on demand from here."""
        return {
            "acme": {"directory": f"{self.ca.base}/directory", "agree_to_terms": True, "email": "ops@example.com"},
            "store": "store",
            "on_demand": {"ask": self.url, **on_demand},
        }


@contextmanager
def demanded() -> Iterator[Demanded]:
    """Both, running."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    made = Demanded(FakeCa(time.time))
    app = web.Application()
    app.router.add_get("/ask", made.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def start() -> None:
        await made.ca.start()
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/ask"

    async def stop() -> None:
        await made.ca.stop()
        await runner.cleanup()
        rest = asyncio.all_tasks() - {asyncio.current_task()}  # answers that were to come later
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    try:
        asyncio.run_coroutine_threadsafe(start(), loop).result(10)
        yield made
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
