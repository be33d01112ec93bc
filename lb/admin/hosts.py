"""The Host values that the admin server serves: a website whose name resolves here (DNS rebinding) must not read it.

A browser sends the name in its URL, and names in the public DNS have a dot. So addresses and loopback names are safe,
and so are names of private networks, which matter only if the server listens beyond loopback.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import ip_address

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_PRIVATE = (".internal", ".local", ".localdomain", ".svc", ".home.arpa")
_OWN = socket.gethostname().lower()
_REFUSAL = (
    "The admin server does not serve this Host. Use its IP address, or localhost on the same machine: "
    "http://127.0.0.1:PORT\n"
)


def only_for(listening: Callable[[], str]) -> Middleware:
    """Responds with 421 to any other Host. `listening` returns the IP address that the server listens on ("": all)."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        host = request.headers.get("Host")
        # HTTP/1.0 clients may omit Host, and are not browsers.
        if host is None or is_ours(host, private=not _is_loopback(listening())):
            return await handler(request)
        return web.Response(status=421, text=_REFUSAL)

    return check


def is_ours(host: str, *, private: bool) -> bool:
    """Whether this value of Host is an address or a loopback name, or, if `private`, a name of a private network."""
    name = host.lower().removeprefix("[").partition("]")[0] if host.startswith("[") else host.lower().partition(":")[0]
    name = name.removesuffix(".")
    if name == "localhost" or name.endswith(".localhost") or _is_address(name):
        return True
    return private and bool(name) and ("." not in name or name.endswith(_PRIVATE) or name == _OWN)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return _is_address(name) and ip_address(name).is_loopback
