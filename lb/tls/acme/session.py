"""The HTTP session for requests to certificate authorities and `ask` endpoints.

Neither is trusted with our memory: a body is read up to a limit, and none is decompressed.
"""

from __future__ import annotations

import aiohttp

_KEEPALIVE = 15.0  # seconds that a connection to a CA is kept: CAs close theirs later


def open_session() -> aiohttp.ClientSession:
    """A session for the running event loop; the caller closes it."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(keepalive_timeout=_KEEPALIVE),
        trust_env=True,
        auto_decompress=False,
        headers={"Accept-Encoding": "identity"},
    )
