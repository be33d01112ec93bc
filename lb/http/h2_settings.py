"""What a peer's SETTINGS say (RFC 9113 6.5, RFC 8441 3, RFC 9218 2.1): identifiers, bounds, and the values that hold.

This file knows one frame's payload; it does not know what follows for streams.
"""

from __future__ import annotations

from lb.http.h2_errors import ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, PROTOCOL_ERROR, SessionError

HEADER_TABLE_SIZE = 0x1
ENABLE_PUSH = 0x2
MAX_CONCURRENT_STREAMS = 0x3
INITIAL_WINDOW_SIZE = 0x4
MAX_FRAME_SIZE = 0x5
MAX_HEADER_LIST_SIZE = 0x6
ENABLE_CONNECT_PROTOCOL = 0x8
NO_RFC7540_PRIORITIES = 0x9

LARGEST_WINDOW = 2**31 - 1
DEFAULT_WINDOW = 65535

_ENTRY = 6
_MOST_ENTRIES = 32
_FRAME_SIZES = range(2**14, 2**24)


class PeerSettings:
    """The values that hold now; -1 is for no bound."""

    __slots__ = ("connect_protocol", "header_list", "initial_window", "max_frame", "max_streams", "no_priorities")

    def __init__(self) -> None:
        self.initial_window = DEFAULT_WINDOW
        self.max_frame = _FRAME_SIZES[0]
        self.max_streams = -1
        self.header_list = -1
        self.connect_protocol = False
        self.no_priorities = False

    def apply(self, payload: bytes) -> int:
        """Take a frame's entries, in their order. Returns by how much every stream's window changes.

        Raises SessionError.
        """
        before = self.initial_window
        if len(payload) > _MOST_ENTRIES * _ENTRY:
            raise SessionError(ENHANCE_YOUR_CALM, "a SETTINGS frame has too many entries")
        for at in range(0, len(payload), _ENTRY):
            self._set(int.from_bytes(payload[at : at + 2], "big"), int.from_bytes(payload[at + 2 : at + 6], "big"))
        return self.initial_window - before

    def _set(self, key: int, value: int) -> None:
        """One entry; an unknown one means nothing (6.5.2)."""
        match key:
            case 0x2 | 0x8 | 0x9:
                self._set_flag(key, value)
            case 0x3:
                self.max_streams = value
            case 0x4:
                if value > LARGEST_WINDOW:
                    raise SessionError(FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE is too large")
                self.initial_window = value
            case 0x5:
                if value not in _FRAME_SIZES:
                    raise SessionError(PROTOCOL_ERROR, "MAX_FRAME_SIZE is out of bounds")
                self.max_frame = value
            case 0x6:
                self.header_list = value

    def _set_flag(self, key: int, value: int) -> None:
        if value > 1:
            raise SessionError(PROTOCOL_ERROR, "a setting that is 0 or 1 is neither")
        if key == ENABLE_CONNECT_PROTOCOL:
            self.connect_protocol = value == 1
        elif key == NO_RFC7540_PRIORITIES:
            self.no_priorities = value == 1
