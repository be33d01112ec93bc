"""What a trusted proxy says before everything else on a connection: the header of the PROXY protocol.

It says who the client is, and from there on the connection is that client's. A proxy that was told to send one and does
not is cut off: what it sends could be anybody's. Knows nothing of requests.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lb.http.proxy_protocol import ProxyHeaderError, read_proxy_header

if TYPE_CHECKING:
    from lb.proxy.client_info import ClientInfo
    from lb.proxy.engine import Engine
    from lb.proxy.io.wire import Wire

log = logging.getLogger("lb.proxy")

_SILENCE = 60.0  # seconds between two lines


class _Faults:
    """The bad headers of one worker: the log has one line a minute, however many there are."""

    __slots__ = ("_silent_until", "_untold")

    def __init__(self) -> None:
        self._untold = 0
        self._silent_until = 0.0

    def found(self, address: bytes, reason: str, now: float) -> None:
        """A connection from this address is closed for this reason."""
        self._untold += 1
        if now < self._silent_until:
            return
        log.warning(
            "a connection from %s, one of trusted_proxies, was closed: %s (connections closed for this since the last "
            "line: %d); let the proxy send it, or remove listen.proxy_protocol",
            address.decode("latin-1"),
            reason,
            self._untold,
        )
        self._silent_until = now + _SILENCE
        self._untold = 0


_faults = _Faults()


def read_preface(engine: Engine, info: ClientInfo, wire: Wire, data: bytes) -> int:
    """How many bytes of `data` are the header, which says who the client is; 0 while it is incomplete. If it is none,
    the connection is closed.
    """
    try:
        header = read_proxy_header(data)
    except ProxyHeaderError as error:
        engine.failed("proxy_header_invalid")
        _faults.found(info.address, str(error), engine.poller.now)
        wire.abort()
        return 0
    if header is None:
        return 0
    if header.endpoints is not None:
        info.introduce(header.endpoints)
    return header.size
