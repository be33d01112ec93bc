"""What certificate authorities and `ask` endpoints send is taken as it is: a small body never becomes a large one."""

from __future__ import annotations

import gzip

import pytest
from aiohttp import web

from lb.config.acme import AcmeServer
from lb.tls.acme.client import AcmeClient
from lb.tls.acme.errors import AcmeError
from lb.tls.acme.session import open_session

BOMB = gzip.compress(b'{"newNonce": "' + b"a" * (8 << 20) + b'"}')


async def test_bodies_are_not_decompressed() -> None:
    asked: list[str | None] = []

    async def directory(request: web.Request) -> web.Response:
        asked.append(request.headers.get("Accept-Encoding"))
        return web.Response(body=BOMB, headers={"Content-Encoding": "gzip"}, content_type="application/json")

    app = web.Application()
    app.router.add_get("/directory", directory)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/directory"
    async with open_session() as session:
        async with session.get(url) as response:
            assert await response.read() == BOMB
        client = AcmeClient(session, AcmeServer(directory=url), lambda: 0.0)
        with pytest.raises(AcmeError):
            await client.resource("newNonce")
    await runner.cleanup()
    assert asked == ["identity", "identity"]
