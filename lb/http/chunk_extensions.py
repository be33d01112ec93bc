"""What may stand between a chunk's size and the end of its line, as one state table for both twins of `body`.

From a client it is what RFC 9112 7.1.1 allows: *( ";" name [ "=" ( token / quoted string ) ] ), with blanks around `;`
and `=`, but none directly after the size or at the end, which some read as the end of the line and some as a part of
the size. An instance may send such blanks, too, and anything but control characters after its `;`.
"""

from __future__ import annotations

from collections.abc import Iterable

# Outcomes other than a state: the CR that only LF may follow, or a refusal.
END, BAD, CONTROL = 255, 254, 253

AFTER_SIZE, ANYTHING, _SEMICOLON, _NAME, _AFTER_NAME, _EQUALS = range(6)
_VALUE, _QUOTED, _ESCAPED, _AFTER_VALUE, _CLOSED = range(6, 11)

of_request = _SEMICOLON
"""Where a client's extension begins, after the `;` that follows its size."""

of_instance = ANYTHING
"""Where an instance's extension begins; `AFTER_SIZE` is where its blanks begin."""

_TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TEXT = bytes(byte for byte in range(256) if (byte >= 0x20 and byte != 0x7F) or byte == 0x09)
_BLANK = b" \t"
_CR = b"\r"

# State → bytes and the states they lead to.
_STATES: dict[int, tuple[tuple[bytes, int], ...]] = {
    AFTER_SIZE: ((_BLANK, AFTER_SIZE), (b";", ANYTHING), (_CR, END)),
    ANYTHING: ((_TEXT, ANYTHING), (_CR, END)),
    _SEMICOLON: ((_BLANK, _SEMICOLON), (_TOKEN, _NAME)),
    _NAME: ((_TOKEN, _NAME), (_BLANK, _AFTER_NAME), (b"=", _EQUALS), (b";", _SEMICOLON), (_CR, END)),
    _AFTER_NAME: ((_BLANK, _AFTER_NAME), (b"=", _EQUALS), (b";", _SEMICOLON)),
    _EQUALS: ((_BLANK, _EQUALS), (_TOKEN, _VALUE), (b'"', _QUOTED)),
    _VALUE: ((_TOKEN, _VALUE), (_BLANK, _AFTER_VALUE), (b";", _SEMICOLON), (_CR, END)),
    _QUOTED: ((_TEXT, _QUOTED), (b"\\", _ESCAPED), (b'"', _CLOSED)),
    _ESCAPED: ((_TEXT, _QUOTED),),
    _AFTER_VALUE: ((_BLANK, _AFTER_VALUE), (b";", _SEMICOLON)),
    _CLOSED: ((_BLANK, _AFTER_VALUE), (b";", _SEMICOLON), (_CR, END)),
}


def _row(steps: Iterable[tuple[bytes, int]]) -> bytes:
    row = bytearray(BAD if byte in _TEXT else CONTROL for byte in range(256))
    for among, state in steps:
        for byte in among:
            row[byte] = state
    return bytes(row)


STEPS = b"".join(_row(_STATES[state]) for state in range(len(_STATES)))
"""At `state * 256 + byte`: the next state, END, or the reason for a refusal (BAD, CONTROL)."""
