"""Client hellos that no TLS library would send: with any bytes for a server name."""

from __future__ import annotations

import os

_GROUPS = bytes.fromhex("0004001d0017")
_SIGNATURES = bytes.fromhex("000a04030804040105030805")
_VERSIONS = bytes.fromhex("0403040303")
_SUITES = bytes.fromhex("000813011302c02bc02f")
_SERVER_NAME, _GROUP_LIST, _FORMATS, _ALGORITHMS, _ALPN, _VERSION_LIST, _KEY_SHARE = 0, 10, 11, 13, 16, 43, 51
_RECORD = 16000  # bytes of the message in one record


def client_hello(name: bytes, *, protocol: bytes = b"") -> bytes:
    """The records of a client hello for this server name that offers `protocol` and no other, if it is given one."""
    extensions = [
        _extension(_SERVER_NAME, _sized(b"\0" + _sized(name))),
        _extension(_GROUP_LIST, _GROUPS),
        _extension(_ALGORITHMS, _SIGNATURES),
        _extension(_VERSION_LIST, _VERSIONS),
        _extension(_FORMATS, b"\x01\x00"),
        _extension(_KEY_SHARE, _sized(b"\x00\x1d" + _sized(os.urandom(32)))),
    ]
    if protocol:
        extensions.append(_extension(_ALPN, _sized(bytes((len(protocol),)) + protocol)))
    random, session = os.urandom(32), b"\x20" + os.urandom(32)
    body = b"\x03\x03" + random + session + _SUITES + b"\x01\x00" + _sized(b"".join(extensions))
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"".join(
        b"\x16\x03\x01" + _sized(message[start : start + _RECORD]) for start in range(0, len(message), _RECORD)
    )


def _extension(number: int, data: bytes) -> bytes:
    return number.to_bytes(2, "big") + _sized(data)


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data
