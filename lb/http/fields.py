"""What single fields say about their message: a reader for each name that matters (uncompiled; see `scan`).

A reader gets a value and its position in the kept part of the head; it notes what the field says, refuses an invalid
value, and returns whether the field is forwarded. Names without a reader do not matter here. Knows nothing of lines and
syntax.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Generic, TypeVar

from lb.errors import ProxyError
from lb.http.etags import MARK
from lb.http.head import RequestHead, ResponseHead, is_authority, is_disguised
from lb.http.lists import keep_alive_timeout, passes

_Head = TypeVar("_Head", RequestHead, ResponseHead)

_is_request_id = re.compile(rb"[-._0-9A-Za-z+=/:]{1,128}").fullmatch

_OPTIONS = frozenset((b"keep-alive", b"close", b"upgrade", b"te", b""))  # of Connection: they name no fields
_DIGITS = 18  # of a length: more do not fit in 64 bits
_TOO_LONG = 1 << 62  # a length beyond every limit
_SPELLINGS = 1000  # names as they were written that are recognised at once
_LONGEST_SPELLING = 64


class FieldNotes(Generic[_Head]):
    """What the fields have said so far, besides the head itself."""

    __slots__ = ("chain", "close", "head", "hosts", "nominated", "padded", "protocols", "stay", "upgrade")

    def __init__(self, head: _Head) -> None:
        self.head: _Head = head
        self.hosts = 0
        self.close = self.stay = self.upgrade = self.padded = False
        # Fields that may have many lines: the names in Connection, X-Forwarded-For, Upgrade.
        self.nominated: list[bytes] = []
        self.chain: list[bytes] = []
        self.protocols: list[bytes] = []

    def connection(self, value: bytes) -> bool:
        """Read one Connection value; what it names beyond the known options is dropped (RFC 9110 7.6.1)."""
        options = {option.strip(b" \t") for option in value.lower().split(b",")}
        self.stay = self.stay or b"keep-alive" in options
        self.close = self.close or b"close" in options
        self.upgrade = self.upgrade or b"upgrade" in options
        if options - _OPTIONS:
            self.nominated.append(value)
        return False

    def keeps_alive(self) -> bool:
        return not self.close and (self.stay or self.head.minor == 1)

    def length(self, value: bytes, malformed: str) -> bool:
        """Read a Content-Length; `malformed` is the cause for an invalid one. Leading zeros are not forwarded: some
        read such a number as octal.
        """
        if self.head.body_length >= 0:
            raise ProxyError(malformed, "Content-Length is given twice")
        if not value.isdigit():
            raise ProxyError(malformed, "Content-Length is not a number")
        digits = value.lstrip(b"0") or b"0"
        self.padded = len(digits) < len(value)
        self.head.body_length = int(digits) if len(digits) <= _DIGITS else _TOO_LONG
        return not self.padded

    def upgrades(self) -> bytes | None:
        """The protocols of all Upgrade lines, if Connection names the field."""
        return b", ".join(self.protocols) if self.upgrade and self.protocols else None


# Requests


def _drop(_seen: FieldNotes[_Head], _value: bytes, _at: int) -> bool:
    return False


def _host(seen: FieldNotes[RequestHead], value: bytes, _at: int) -> bool:
    seen.hosts += 1
    if value and not is_authority(value):
        raise ProxyError("http_request_error", "Host is not a host and port")
    seen.head.host = value
    return True


def _connection(seen: FieldNotes[_Head], value: bytes, _at: int) -> bool:
    return seen.connection(value)


def _user_agent(seen: FieldNotes[RequestHead], value: bytes, at: int) -> bool:
    seen.head.agent_at, seen.head.agent_size = at, len(value)
    return True


def _accept(seen: FieldNotes[RequestHead], value: bytes, at: int) -> bool:
    seen.head.accept_again = seen.head.accept_at > 0
    seen.head.accept_at, seen.head.accept_size = at, len(value)
    return True


def _accept_encoding(seen: FieldNotes[RequestHead], value: bytes, at: int) -> bool:
    seen.head.encoding_again = seen.head.encoding_at > 0
    seen.head.encoding_at, seen.head.encoding_size = at, len(value)
    return True


def _referer(seen: FieldNotes[RequestHead], value: bytes, at: int) -> bool:
    seen.head.referer_at, seen.head.referer_size = at, len(value)
    return True


def _expect(seen: FieldNotes[RequestHead], value: bytes, _at: int) -> bool:
    if seen.head.minor == 0:
        return False  # RFC 9110 10.1.1: an expectation in an HTTP/1.0 request is ignored
    if seen.head.expect or value.lower() != b"100-continue":
        raise ProxyError("expectation_failed")
    seen.head.expect = True
    return True


def _upgrade(seen: FieldNotes[_Head], value: bytes, _at: int) -> bool:
    seen.protocols.append(value)
    return False


def _forwarded_for(seen: FieldNotes[RequestHead], value: bytes, _at: int) -> bool:
    seen.chain.append(value)
    return False


def _forwarded_proto(seen: FieldNotes[RequestHead], value: bytes, _at: int) -> bool:
    seen.head.forwarded_proto = value
    return False


def _content_length(seen: FieldNotes[RequestHead], value: bytes, _at: int) -> bool:
    return seen.length(value, "http_request_error")


def _transfer_encoding(seen: FieldNotes[RequestHead], value: bytes, _at: int) -> bool:
    if seen.head.chunked or value.lower() != b"chunked":
        raise ProxyError("http_request_error", "Transfer-Encoding is not chunked")
    seen.head.chunked = True
    return False


def _via(seen: FieldNotes[RequestHead], value: bytes, _at: int) -> bool:
    seen.head.passes += passes(value)
    return True


def _range(seen: FieldNotes[RequestHead], _value: bytes, _at: int) -> bool:
    seen.head.ranged = True
    return True


def _condition(seen: FieldNotes[RequestHead], value: bytes, _at: int) -> bool:
    seen.head.tagged = seen.head.tagged or MARK in value
    return True


def _request_id(seen: FieldNotes[RequestHead], value: bytes, _at: int) -> bool:
    if seen.head.request_id is not None or not _is_request_id(value):
        return False
    seen.head.request_id = value
    return True


_REQUEST: dict[bytes, Callable[[FieldNotes[RequestHead], bytes, int], bool]] = {
    b"accept": _accept,
    b"accept-encoding": _accept_encoding,
    b"client-cert": _drop,
    b"client-cert-chain": _drop,
    b"connection": _connection,
    b"content-length": _content_length,
    b"expect": _expect,
    b"forwarded": _drop,
    b"host": _host,
    b"if": _condition,
    b"if-match": _condition,
    b"if-none-match": _condition,
    b"if-range": _condition,
    b"keep-alive": _drop,
    b"proxy": _drop,
    b"proxy-authenticate": _drop,
    b"proxy-authorization": _drop,
    b"proxy-connection": _drop,
    b"range": _range,
    b"referer": _referer,
    b"te": _drop,
    b"transfer-encoding": _transfer_encoding,
    b"upgrade": _upgrade,
    b"user-agent": _user_agent,
    b"via": _via,
    b"x-forwarded": _drop,
    b"x-forwarded-for": _forwarded_for,
    b"x-forwarded-proto": _forwarded_proto,
    b"x-real-ip": _drop,
    b"x-request-id": _request_id,
}


# Responses


def _status_length(seen: FieldNotes[ResponseHead], value: bytes, _at: int) -> bool:
    if seen.length(value, "http_protocol_error") and seen.head.body_length < _TOO_LONG:
        return True  # else one that is to be rewritten (see `lenient`)
    raise ProxyError("http_protocol_error", "Content-Length has too many digits")


def _response_encoding(seen: FieldNotes[ResponseHead], value: bytes, _at: int) -> bool:
    if seen.head.chunked or value.lower() != b"chunked":
        raise ProxyError("http_protocol_error", "Transfer-Encoding is not chunked")
    seen.head.chunked = True
    return False


def _content_type(seen: FieldNotes[ResponseHead], value: bytes, at: int) -> bool:
    seen.head.type_at, seen.head.type_size = at, len(value)
    return True


def _keep_alive(seen: FieldNotes[ResponseHead], value: bytes, _at: int) -> bool:
    if seen.head.keep_alive_for < 0:
        seen.head.keep_alive_for = keep_alive_timeout(value)
    return False


def _date(seen: FieldNotes[ResponseHead], _value: bytes, _at: int) -> bool:
    seen.head.dated = True
    return True


def _cache_control(seen: FieldNotes[ResponseHead], value: bytes, _at: int) -> bool:
    if b"no-transform" in value.lower():
        seen.head.no_transform = True
    return True


def _content_range(seen: FieldNotes[ResponseHead], _value: bytes, _at: int) -> bool:
    seen.head.ranged = True
    return True


def _content_encoding(seen: FieldNotes[ResponseHead], value: bytes, _at: int) -> bool:
    seen.head.encoded = seen.head.encoded or value.lower() != b"identity"
    return True


_RESPONSE: dict[bytes, Callable[[FieldNotes[ResponseHead], bytes, int], bool]] = {
    b"cache-control": _cache_control,
    b"connection": _connection,
    b"content-encoding": _content_encoding,
    b"content-length": _status_length,
    b"content-range": _content_range,
    b"content-type": _content_type,
    b"date": _date,
    b"keep-alive": _keep_alive,
    b"proxy-authenticate": _drop,
    b"proxy-connection": _drop,
    b"te": _drop,
    b"transfer-encoding": _response_encoding,
    b"upgrade": _upgrade,
}


class _OfRequest(dict[bytes, Callable[[FieldNotes[RequestHead], bytes, int], bool] | None]):
    """The reader of a request's field by its name, or None; frequent spellings are looked up once."""

    def __missing__(self, name: bytes) -> Callable[[FieldNotes[RequestHead], bytes, int], bool] | None:
        plain = name.lower()
        reader = _REQUEST.get(plain)
        if plain.startswith(b"x-forwarded-"):
            reader = _REQUEST.get(plain, _drop)
        elif b"_" in name and is_disguised(name):
            reader = _drop
        if len(self) < _SPELLINGS and len(name) <= _LONGEST_SPELLING:
            self[name] = reader
        return reader


class _OfResponse(dict[bytes, Callable[[FieldNotes[ResponseHead], bytes, int], bool] | None]):
    """The same for a response's fields."""

    def __missing__(self, name: bytes) -> Callable[[FieldNotes[ResponseHead], bytes, int], bool] | None:
        reader = _RESPONSE.get(name.lower())
        if len(self) < _SPELLINGS and len(name) <= _LONGEST_SPELLING:
            self[name] = reader
        return reader


OF_REQUEST = _OfRequest()
OF_RESPONSE = _OfResponse()
