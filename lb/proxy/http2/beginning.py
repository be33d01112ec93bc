"""How a connection comes to speak HTTP/2: because TLS has agreed on it, or because the client begins with its preface.

It knows the preface, and what may have come of it. Whether the configuration allows HTTP/2 is asked before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.http.frames import PREFACE
from lb.proxy.http2.session import Session

if TYPE_CHECKING:
    from lb.proxy.client_info import ClientInfo
    from lb.proxy.engine import Engine
    from lb.proxy.io.wire import Wire


def speak_http2(wire: Wire, engine: Engine, info: ClientInfo) -> Session:
    """From now on, this connection is a session of HTTP/2."""
    session = Session(wire, engine, info)
    session.begin()
    return session


def begins_http2(wire: Wire, engine: Engine, info: ClientInfo) -> bool:
    """Whether what came first is the preface, or its beginning; then it goes on as HTTP/2, or waits for the rest."""
    size = min(wire.have, len(PREFACE))
    if bytes(wire.view(size)) != PREFACE[:size]:
        return False
    if size == len(PREFACE):
        speak_http2(wire, engine, info).request_data()
    else:
        wire.resume()
    return True
