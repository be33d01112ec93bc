"""The error codes of HTTP/2, and how its readers say that a connection or a message cannot go on (RFC 9113 5.4 and 7).

This file knows what the codes are called; it does not know who finds an error, or how a peer is told.
"""

from __future__ import annotations

from lb.errors import ProxyError

(
    NO_ERROR,
    PROTOCOL_ERROR,
    INTERNAL_ERROR,
    FLOW_CONTROL_ERROR,
    SETTINGS_TIMEOUT,
    STREAM_CLOSED,
    FRAME_SIZE_ERROR,
    REFUSED_STREAM,
    CANCEL,
    COMPRESSION_ERROR,
    CONNECT_ERROR,
    ENHANCE_YOUR_CALM,
    INADEQUATE_SECURITY,
    HTTP_1_1_REQUIRED,
) = range(14)

_NAMES = (
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
)


def error_name(code: int) -> str:
    """The code's name in the registry, or its number."""
    return _NAMES[code] if code < len(_NAMES) else f"0x{code:x}"


class SessionError(Exception):
    """The whole connection has to end: a GOAWAY with `code` tells the peer, `detail` the log."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(error_name(code), detail)
        self.code = code
        self.detail = detail


class MalformedError(ProxyError):
    """A message that is malformed (RFC 9113 8.1.1): its stream is reset with PROTOCOL_ERROR, the connection goes on."""

    def __init__(self, detail: str) -> None:
        super().__init__("http_request_error", detail)
