"""Session-ticket keys: the same in all workers, new every few hours, the previous one valid for a ticket's lifetime.

This file knows keys, their ages and how OpenSSL gets them. It does not know what requests a new one, and when. They are
kept in memory that the processes share: made before the first fork, written by one process, read by all. A key that was
replaced twice no longer exists anywhere, so an attacker who takes over the machine cannot read older recordings.

Most of the time OpenSSL makes and reads tickets by itself, with the current key. Only while tickets of the previous key
may still come does it ask here: a call into Python costs a handshake a few microseconds.
"""

from __future__ import annotations

import ctypes
import os
import ssl
import struct
import time
from collections.abc import Callable
from ctypes import c_void_p
from mmap import mmap
from typing import Any, NamedTuple

from lb.tls.handshake.openssl import OpenSsl, Param, TicketCallback, context_pointer, reach

LIFETIME = 12 * 3600.0
"""Seconds for which one key makes the tickets."""

_SIZE = 80  # of a key, as OpenSSL has it: its name, 16 bytes; for HMAC-SHA256, 32; for AES-256-CBC, 32
_NAME, _MAC = slice(0, 16), slice(16, 48)
_AES = slice(48, 80)
_LAYOUT = struct.Struct(f"=Qd{_SIZE}s{_SIZE}s")  # generation, when the current key was made, current, previous
_NONE = bytes(_SIZE)
_SET_TICKET_KEYS = 59  # SSL_CTRL_SET_TLSEXT_TICKET_KEYS
_UTF8_STRING, _OCTET_STRING = 4, 5  # of OSSL_PARAM
_UNKNOWN, _GOOD, _REPLACE = 0, 1, 2  # the callback's answers; the last one makes OpenSSL send a new ticket


class _Keys(NamedTuple):
    generation: int
    made: float
    current: bytes
    previous: bytes


class Tickets:
    """The keys of one context, for all connections in it. Times are of the monotonic clock, which processes share."""

    def __init__(self, context: ssl.SSLContext, clock: Callable[[], float] = time.monotonic) -> None:
        self._context = context
        self._clock = clock
        self._openssl = reach()
        self._shared = mmap(-1, _LAYOUT.size)
        self._used = 0  # the generation that this process uses
        self._asked: Any = None  # the callback that OpenSSL has, or had last: it holds a pointer to it
        if self._openssl is not None:
            self.rotate()
            self.follow()

    @property
    def can_rotate(self) -> bool:
        """False if OpenSSL cannot be reached: then the key that it made for itself stays for good."""
        return self._openssl is not None

    def due(self) -> float:
        """Seconds until a new key is due; 0 or less when it is."""
        return self._read().made + LIFETIME - self._clock()

    def rotate(self) -> None:
        """Make a new key, which each process uses from its next `follow` on. Only one process may call this."""
        keys = self._read()
        self._shared[:8] = struct.pack("=Q", keys.generation | 1)  # an odd one: the rest is being written
        self._shared[8:] = _LAYOUT.pack(0, self._clock(), os.urandom(_SIZE), keys.current)[8:]
        self._shared[:8] = struct.pack("=Q", (keys.generation | 1) + 1)

    def bequest(self) -> bytes:
        """The keys, for a process that takes over. They decrypt recorded traffic: never to be written to a disk."""
        return bytes(self._shared[:])

    def inherit(self, bequest: bytes) -> None:
        """Take over these keys from another process on this machine; before the first fork. Anything not understood,
        perhaps from another version, is ignored.
        """
        if self._openssl is None or len(bequest) != _LAYOUT.size:
            return
        _, made, current, previous = _LAYOUT.unpack(bequest)
        if made:
            self._shared[:] = _LAYOUT.pack(self._used + 2, made, current, previous)
            self.follow()

    def follow(self) -> None:
        """Use the keys that all processes use now."""
        keys = self._read()
        if self._openssl is None or keys.generation == self._used or keys.generation % 2:
            return
        self._used = keys.generation
        pointer = context_pointer(self._context)
        self._openssl.ctrl(self._context, _SET_TICKET_KEYS, _SIZE, keys.current)
        until = keys.made + self._openssl.SSL_CTX_get_timeout(pointer)
        if keys.previous == _NONE or self._clock() >= until:
            self._openssl.SSL_CTX_set_tlsext_ticket_key_evp_cb(pointer, None)
            return
        answer = _Answer(self._openssl, keys)

        def asked(_: int, name: Any, iv: Any, cipher: int, mac: int, making: int) -> int:
            if self._clock() >= until and self._openssl is not None:
                self._openssl.SSL_CTX_set_tlsext_ticket_key_evp_cb(pointer, None)
            return answer.make(name, iv, cipher, mac) if making else answer.read(name, iv, cipher, mac)

        self._asked = TicketCallback(asked)
        self._openssl.SSL_CTX_set_tlsext_ticket_key_evp_cb(pointer, self._asked)

    def _read(self) -> _Keys:
        return _Keys(*_LAYOUT.unpack(self._shared[:]))


class _Answer:
    """OpenSSL's answers about a ticket while there are two keys; the same as its own with one."""

    def __init__(self, openssl: OpenSsl, keys: _Keys) -> None:
        self._openssl = openssl
        self._cipher = openssl.EVP_aes_256_cbc()
        self._keys = {
            key[_NAME]: (answer, key, _mac_params(key))
            for answer, key in (
                (_GOOD, keys.current),
                (_REPLACE, keys.previous),
            )
        }
        self._current = keys.current[_NAME]

    def make(self, name: Any, iv: Any, cipher: int, mac: int) -> int:
        """For a new ticket: writes the key's name and the IV, and prepares cipher and MAC."""
        _, key, (params, _) = self._keys[self._current]
        vector = os.urandom(16)
        ctypes.memmove(name, self._current, 16)
        ctypes.memmove(iv, vector, 16)
        openssl = self._openssl
        done = openssl.EVP_EncryptInit_ex(cipher, self._cipher, None, key[_AES], vector)
        return int(done == 1 and openssl.EVP_MAC_CTX_set_params(mac, params) == 1)

    def read(self, name: Any, iv: Any, cipher: int, mac: int) -> int:
        """For a received ticket: whether its key is one of the two; the client's bytes are at `name` and `iv`."""
        found = self._keys.get(ctypes.string_at(name, 16))
        if found is None:
            return _UNKNOWN
        answer, key, (params, _) = found
        openssl = self._openssl
        done = openssl.EVP_DecryptInit_ex(cipher, self._cipher, None, key[_AES], ctypes.string_at(iv, 16))
        return answer if done == 1 and openssl.EVP_MAC_CTX_set_params(mac, params) == 1 else _UNKNOWN


def _mac_params(key: bytes) -> tuple[Any, tuple[Any, ...]]:
    """HMAC-SHA256 with this key, as EVP_MAC_CTX_set_params requires it, and the memory that it points to."""
    parts = ((b"key", _OCTET_STRING, key[_MAC]), (b"digest", _UTF8_STRING, b"SHA256"))
    params = (Param * (len(parts) + 1))()  # the last one, all zero, is the end
    held = tuple(ctypes.create_string_buffer(data, len(data) + 1) for _, _, data in parts)
    for param, (name, kind, data), memory in zip(params, parts, held, strict=False):
        param.key, param.data_type, param.data_size = name, kind, len(data)
        param.data = ctypes.cast(memory, c_void_p)
    return params, held
