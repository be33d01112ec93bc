"""The few OpenSSL functions that Python's `ssl` does not offer, called in the library that `_ssl` itself has loaded.

This file knows C names and where CPython keeps its pointers; their purpose is known elsewhere. A pointer is trusted
only after the layout was checked on a connection made for that purpose: PySSLSocket must point to its own context, and
OpenSSL must say of that connection that it belongs to the SSL_CTX found. If the check fails, or `_ssl` is not a library
of its own, `reach` says so, and its callers do without: no crash, fewer features.
"""

from __future__ import annotations

import _ssl
import ctypes
import ssl
from ctypes import CDLL, c_char_p, c_int, c_long, c_size_t, c_ubyte, c_uint, c_void_p
from functools import cache
from typing import Any, Final

_POINTER = ctypes.sizeof(c_void_p)
_HEAD = object.__basicsize__  # of every Python object, whatever the build

_P = c_void_p
_PROTOTYPES: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "SSL_get_SSL_CTX": (_P, (_P,)),
    "SSL_CTX_ctrl": (c_long, (_P, c_int, c_long, c_char_p)),
    "SSL_CTX_set_ciphersuites": (c_int, (_P, c_char_p)),
    "SSL_CTX_set_tlsext_ticket_key_evp_cb": (c_long, (_P, _P)),
    "SSL_CTX_get_timeout": (c_long, (_P,)),
    "SSL_CTX_set_client_hello_cb": (None, (_P, _P, _P)),
    "SSL_client_hello_get0_ext": (c_int, (_P, c_uint, _P, _P)),
    "SSL_set_verify": (None, (_P, c_int, _P)),
    "SSL_set_session_id_context": (c_int, (_P, c_char_p, c_uint)),
    "SSL_load_client_CA_file": (_P, (c_char_p,)),
    "SSL_CTX_set_client_CA_list": (None, (_P, _P)),
    "EVP_aes_256_cbc": (_P, ()),
    "EVP_EncryptInit_ex": (c_int, (_P, _P, _P, c_char_p, _P)),
    "EVP_DecryptInit_ex": (c_int, (_P, _P, _P, c_char_p, _P)),
    "EVP_MAC_CTX_set_params": (c_int, (_P, _P)),
    "ERR_clear_error": (None, ()),
}


class Param(ctypes.Structure):
    """OSSL_PARAM."""

    _fields_ = (
        ("key", c_char_p),
        ("data_type", c_uint),
        ("data", c_void_p),
        ("data_size", c_size_t),
        ("return_size", c_size_t),
    )


HelloCallback = ctypes.CFUNCTYPE(c_int, _P, _P, _P)
"""SSL, where to put an alert, an argument of ours → whether to go on."""

TicketCallback = ctypes.CFUNCTYPE(c_int, _P, ctypes.POINTER(c_ubyte), ctypes.POINTER(c_ubyte), _P, _P, c_int)
"""SSL, the key's name (16 bytes), IV (16 bytes), EVP_CIPHER_CTX, EVP_MAC_CTX, whether to encrypt → found or not."""


class OpenSsl:
    """The library's functions by their own names, typed; get it from `reach`."""

    def __init__(self, library: CDLL) -> None:
        for name, (result, arguments) in _PROTOTYPES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def ctrl(self, context: ssl.SSLContext, command: int, number: int, data: bytes | None) -> int:
        """SSL_CTX_ctrl; errors that it queues are removed, else the next connection would get them."""
        done: int = self.SSL_CTX_ctrl(context_pointer(context), command, number, data)
        if done <= 0:
            self.ERR_clear_error()
        return done


def context_pointer(context: ssl.SSLContext) -> int:
    """The SSL_CTX of a context. Only for the library that `reach` returned."""
    return _word(context, 0)


@cache
def reach() -> OpenSsl | None:
    """OpenSSL as `_ssl` has it, or None if its functions or pointers cannot be found."""
    path = getattr(_ssl, "__file__", None)  # without one, `_ssl` is part of the program, and maybe not its only OpenSSL
    if path is None:
        return None
    try:
        found = OpenSsl(CDLL(path))  # a name is looked up in this file and in what it is linked with
    except (OSError, AttributeError):
        return None
    return found if _layout_holds(found) else None


def _layout_holds(library: OpenSsl) -> bool:
    """PySSLSocket: head, Socket, SSL *, PySSLContext *; PySSLContext: head, SSL_CTX *."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    connection = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)
    raw = getattr(connection, "_sslobj", None)
    if raw is None or type(raw).__basicsize__ < _HEAD + 3 * _POINTER or type(context).__basicsize__ < _HEAD + _POINTER:
        return False
    if _word(raw, 2) != id(context):
        return False
    connection_pointer, found = _word(raw, 1), _word(context, 0)
    return bool(connection_pointer and found) and library.SSL_get_SSL_CTX(connection_pointer) == found


def _word(thing: object, place: int) -> int:
    return c_void_p.from_address(id(thing) + _HEAD + place * _POINTER).value or 0
