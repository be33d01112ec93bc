"""The HTTP session in which certificate authorities and `ask` endpoints are asked.

Neither has to be trusted with our memory: a body is taken as it comes, and none is decompressed.
"""

from __future__ import annotations

import aiohttp

_KEEPALIVE = 15.0  # seconds that a connection to a CA is kept: CAs close theirs later


def open_session() -> aiohttp.ClientSession:
    """A session for the running event loop; who opens it closes it."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(keepalive_timeout=_KEEPALIVE),
        trust_env=True,
        auto_decompress=False,
        headers={"Accept-Encoding": "identity"},
    )
