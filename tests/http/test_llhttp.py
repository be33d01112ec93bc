"""Request heads as llhttp (Node's parser, by httptools) reads them and as we do: the same, or a difference that is known.

What llhttp takes and we refuse is in `STRICTER`, what it refuses and we take in `WIDER`; anything else fails. Which of the two
sees first that an unfinished head is wrong is no difference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import httptools
from hypothesis import given, settings

from lb.errors import ProxyError
from lb.http.head import Limits, RequestHead
from lb.http.scan import scan_request
from tests.http import messages

# Our refusal (cause and detail) → why llhttp takes the same.
STRICTER = {
    "http_request_error: Host is missing": "a server may have one host only; a proxy needs to know (RFC 9112 3.2)",
    "http_request_error: Host is given twice": "left to its user; RFC 9112 3.2 wants 400",
    "http_request_error: Host is not a host and port": "values are left to its user; RFC 9112 3.2 wants 400",
    "http_request_error: Transfer-Encoding in an HTTP/1.0 request": "RFC 9112 6.1 calls its framing faulty",
    "http_request_error: Transfer-Encoding is not chunked": "takes codings in front of chunked, and any in a request without a body",
    "http_request_error: Content-Length is not a number": "takes 19 and 20 digits, as far as 64 bits go",
    "http_request_error: the request target has a byte that must be encoded": "takes a fragment (RFC 9112 3.2 has none)",
    "http_request_error: the request target and Host name two authorities": "knows parts of URLs, not what they mean",
    "http_request_error: the request target is neither a path nor a URL": "takes URLs of every scheme",
    "http_request_error: the request target * is for OPTIONS only": "knows parts of URLs, not what they mean",
    "http_request_error: the request line has no HTTP version": "speaks HTTP/0.9",
    "http_request_error: the method is not a token": "passes over any number of empty lines before a request, we over four",
    "http_request_error: a line does not end with CR LF": "takes a bare LF for an empty line before a request",
    "http_version_not_supported: ": "takes HTTP/2.0 and 0.9 in a request line",
    "method_not_supported: ": "CONNECT is for forward proxies",
    "expectation_failed: ": "values are left to its user; RFC 9110 10.1.1 allows 417",
}

# llhttp's refusal → why we take the same.
WIDER = {
    "Invalid method encountered": "it has a list of methods; to a proxy any token is one (RFC 9110 9.1)",
    "Expected HTTP/2 Connection Preface": "PRI is a method like others in HTTP/1.1",
    "Invalid char in url path": "bytes beyond ASCII go on as they came (H6)",
    "Invalid characters in url": "the same",
}

_DROPPED = re.compile(
    rb"connection|keep-alive|te|upgrade|transfer-encoding|expect|forwarded|x-forwarded(-.*)?|x-real-ip|x-request-id|proxy|"
    rb"proxy-.*|client-cert.*|.*_.*"
).fullmatch
_LINE = re.compile(rb"([^:\r\n]+):[ \t]*([^\r\n]*?)[ \t]*\r\n")


@dataclass
class Heard:
    """What llhttp tells of a request."""

    url: bytes = b""
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    whole: bool = False
    refusal: str | None = None
    method: bytes = b""
    keep_alive: bool = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.whole = True


def _llhttp(data: bytes) -> Heard:
    heard = Heard()
    parser = httptools.HttpRequestParser(heard)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        heard.refusal = str(error)
    if heard.whole:
        heard.method = parser.get_method()
        heard.keep_alive = parser.should_keep_alive()
    return heard


def _ours(data: bytes) -> RequestHead | str | None:
    try:
        return scan_request(data, Limits())
    except ProxyError as error:
        return f"{error.cause.code}: {error.detail}"


@settings(max_examples=1000, deadline=None)
@given(messages.REQUESTS)
def test_every_difference_is_known(data: bytes) -> None:
    # spec: F5
    ours, theirs = _ours(data), _llhttp(data)
    if isinstance(ours, str):
        if theirs.whole:
            assert ours in STRICTER, "llhttp takes this"
    elif ours is None:
        assert not theirs.whole, "llhttp sees the end of a head"
    elif theirs.whole:
        _compare(ours, theirs)
    else:
        assert theirs.refusal is not None, "llhttp waits for more"
        assert theirs.refusal in WIDER, "llhttp refuses this"


def _compare(ours: RequestHead, theirs: Heard) -> None:
    """Both took it: is it the same that they read?"""
    assert ours.method == theirs.method
    if theirs.url.startswith((b"/", b"*")):
        assert ours.target == theirs.url
    else:
        assert re.fullmatch(rb"(?i:https?)://[^/?]+/?" + re.escape(ours.target.removeprefix(b"/")), theirs.url)
    named = {
        option.strip(b" \t").lower()
        for name, value in theirs.fields
        if name.lower() == b"connection"
        for option in value.split(b",")
    }
    kept = _LINE.findall(ours.kept.partition(b"\r\n")[2])
    if ours.minor == 0 and not ours.host:
        kept.remove((b"Host", b""))
    remaining = [entry for entry in theirs.fields if entry in kept]
    assert remaining == kept
    for name, value in theirs.fields:
        lower = name.lower()
        if lower == b"host":
            assert ours.host == value
        elif lower == b"content-length":
            assert ours.body_length == int(value)
        elif (name, value) not in kept:
            assert _DROPPED(lower) or lower in named
