"""Request heads as llhttp (Node's parser, by httptools) reads them and as we do: the same, or with a known difference.

What llhttp takes and we refuse is in `STRICTER`, what it refuses and we take in `WIDER`; anything else fails. Which of
the two sees first that an unfinished head is wrong is no difference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import httptools
import pytest
from hypothesis import given, settings

from lb.errors import ProxyError
from lb.http.head import Limits, RequestHead
from lb.http.scan import scan_request
from tests.http import messages

_BAD = "http_request_error: "
_HOST = b"Host: a\r\n\r\n"

# Our refusal → a request of that kind, and why llhttp takes it.
STRICTER = {
    _BAD + "Host is missing": (b"GET / HTTP/1.1\r\n\r\n", "leaves it to its user; RFC 9112 3.2 wants 400"),
    _BAD + "Host is given twice": (b"GET / HTTP/1.1\r\nHost: a\r\n" + _HOST, "as above"),
    _BAD + "Host is not a host and port": (b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "as above"),
    _BAD + "Transfer-Encoding in an HTTP/1.0 request": (
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "reads chunks; RFC 9112 6.1 calls such framing faulty",
    ),
    _BAD + "Transfer-Encoding is not chunked": (
        b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n" + _HOST,
        "reads chunks and leaves other codings to its user",
    ),
    _BAD + "the request target has a byte that must be encoded": (
        b"GET /a#b HTTP/1.1\r\n" + _HOST,
        "knows fragments; RFC 9112 3.2 has none",
    ),
    _BAD + "the request target and Host name different authorities": (
        b"GET http://b/ HTTP/1.1\r\n" + _HOST,
        "knows how targets are written, not what they mean",
    ),
    _BAD + "the request target names no host": (b"GET http://a@b/ HTTP/1.1\r\n" + _HOST, "as above"),
    _BAD + "Host is empty": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", "as above; RFC 9110 4.2.1"),
    _BAD + "the request target is neither a path nor a URL": (b"GET ftp://a/ HTTP/1.1\r\n" + _HOST, "as above"),
    _BAD + "the request target * is for OPTIONS only": (b"GET * HTTP/1.1\r\n" + _HOST, "as above"),
    _BAD + "the request line has no HTTP version": (b"GET /\r\n\r\n", "speaks HTTP/0.9"),
    _BAD + "the method is not a token": (
        b"\r\n" * 5 + b"GET / HTTP/1.1\r\n" + _HOST,
        "passes over any number of empty lines before a request, we over four",
    ),
    _BAD + "a line does not end with CR LF": (
        b"\nGET / HTTP/1.1\r\n" + _HOST,
        "takes a bare LF for such an empty line (not elsewhere)",
    ),
    "http_version_not_supported: ": (b"GET / HTTP/2.0\r\n" + _HOST, "leaves it to its user"),
    "method_not_supported: ": (b"CONNECT a:80 HTTP/1.1\r\n" + _HOST, "CONNECT is for forward proxies"),
    "expectation_failed: ": (b"GET / HTTP/1.1\r\nExpect: x\r\n" + _HOST, "leaves it to its user"),
}

# llhttp's refusal → a request of that kind, and why we take it.
WIDER = {
    "Invalid method encountered": (
        b"BREW / HTTP/1.1\r\n" + _HOST,
        "has a list of methods; to a proxy any token is one (RFC 9110 9.1)",
    ),
    "Expected space after method": (
        b"GETx / HTTP/1.1\r\n" + _HOST,
        "has a list of methods; one that begins with one of them is a method, too",
    ),
    "Expected HTTP/2 Connection Preface": (
        b"PRI / HTTP/1.1\r\n" + _HOST,
        "sees HTTP/2 in the method, we in the version",
    ),
    "Invalid char in url path": (b"GET /\xc3\xa9 HTTP/1.1\r\n" + _HOST, "bytes beyond ASCII go on as they came (H6)"),
    "Invalid char in url query": (b"GET /?\xc3\xa9 HTTP/1.1\r\n" + _HOST, "as above"),
    "Content-Length overflow": (
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n" + _HOST,
        "what does not fit in 64 bits is a body over every limit: 413 (L2)",
    ),
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


@pytest.mark.parametrize("refusal", STRICTER)
def test_where_we_are_stricter(refusal: str) -> None:
    example, _reason = STRICTER[refusal]
    assert _ours(example) == refusal
    assert _llhttp(example).whole


@pytest.mark.parametrize("refusal", WIDER)
def test_where_we_are_wider(refusal: str) -> None:
    example, _reason = WIDER[refusal]
    assert isinstance(_ours(example), RequestHead)
    assert _llhttp(example).refusal == refusal


@pytest.mark.long
@settings(max_examples=1000, deadline=None)
@given(messages.REQUESTS)
def test_every_difference_is_known(data: bytes) -> None:
    # spec: F5
    ours = _ours(data)
    theirs = _llhttp(data[: ours.length] if isinstance(ours, RequestHead) else data)
    if isinstance(ours, str):
        if theirs.whole:
            assert ours in STRICTER, "llhttp takes this"
    elif ours is None:
        assert not theirs.whole, "llhttp sees the end of a head"
    elif theirs.whole:
        _compare(ours, theirs)
    else:
        if ours.method == b"PRI" and theirs.refusal is None:
            return  # it waits for the rest of the preface
        assert theirs.refusal is not None, "llhttp waits for more"
        assert theirs.refusal in WIDER, "llhttp refuses this"


def _compare(ours: RequestHead, theirs: Heard) -> None:
    """Both took it: is it the same that they read?"""
    assert ours.method == theirs.method
    if theirs.url.startswith((b"/", b"*")):
        assert ours.target == theirs.url
    elif ours.target == b"*":
        assert re.fullmatch(rb"(?i:https?)://[^/?]+", theirs.url)
    else:
        assert re.fullmatch(rb"(?i:https?)://[^/?]+/?" + re.escape(ours.target.removeprefix(b"/")), theirs.url)
    named = {
        option.strip(b" \t").lower()
        for name, value in theirs.fields
        if name.lower() == b"connection"
        for option in value.split(b",")
    }
    kept = _LINE.findall(ours.kept.partition(b"\r\n")[2])
    _take_out_ours(kept, ours, theirs)
    remaining = iter(theirs.fields)
    assert all(entry in remaining for entry in kept), "what goes on is not what came, in order"
    for name, value in theirs.fields:
        lower = name.lower()
        if lower == b"host" and value:
            assert ours.host == value
        elif lower == b"host":
            assert theirs.url.partition(b"://")[2].startswith(ours.host)  # of the target in absolute form
        elif lower == b"content-length":
            assert ours.body_length == (int(value) if int(value) < 10**18 else 1 << 62)  # over every limit
        elif (name, value) not in kept:
            assert _DROPPED(lower) or lower in named


def _take_out_ours(kept: list[tuple[bytes, bytes]], ours: RequestHead, theirs: Heard) -> None:
    """Leave what came: a missing Host is written anew, and so is an empty one and a length with leading zeros."""
    names = {name.lower(): value for name, value in theirs.fields}
    if not names.get(b"host"):
        kept.remove((b"Host", ours.host))
    if len(names.get(b"content-length", b"")) > 1 and names[b"content-length"].startswith(b"0"):
        kept.remove((b"Content-Length", b"%d" % ours.body_length))
