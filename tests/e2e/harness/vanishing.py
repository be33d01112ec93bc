"""A peer that is gone without a word: from now on its system drops every packet that comes, and so answers none."""

from __future__ import annotations

import ctypes
import socket
import struct

_SO_ATTACH_FILTER = 26
_DROP = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF: return 0 bytes of it


def vanish(sock: socket.socket) -> None:
    """It needs no privilege: any process may filter what reaches its own sockets."""
    program = ctypes.create_string_buffer(_DROP)
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(program)))
