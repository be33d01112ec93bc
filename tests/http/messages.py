"""Random messages that are nearly right: made of pieces that decide something, then damaged a little."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from lb.http.head import Limits

_NAMES = b"""
    Host Date Content-Length Transfer-Encoding Connection Keep-Alive Upgrade Expect TE Via Range Accept Accept-Encoding
    User-Agent Referer X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host X-Forwarded Forwarded X-Real-IP
    X-Request-Id Client-Cert Client-Cert-Chain Proxy Proxy-Connection Proxy-Authorization Proxy-Authenticate
    X_Forwarded_For X-Real_IP Content_Length X_Y Cookie A Trailer Content-Type Cache-Control Content-Range
    Content-Encoding Set-Cookie If-Match If-None-Match If-Range If x-forwarded- Ho Connectio X-Forwarded-For2
""".split()
_VALUES = (
    b"a|a:80|[::1]:8|a@b|0|5|007|+5|5,5|0x5|999999999999999999|9999999999999999999|chunked|Chunked|chunked, gzip|gzip|"
    b"keep-alive|close|Close, X-A|te, upgrade, A|Upgrade|accept, a, user-agent,,|websocket|100-continue|x||"
    b"1.1 lb|1.0 LB x, 1.1 lb|bytes=0-1|1.1.1.1|2.2.2.2, 3.3.3.3|http|abc-123/=+:|timeout=5|text/html|x_y|"
    b"a b|host, content-length|"
    b'"a-lb-gzip"|W/"b-lb-br", "c"|00|010|0000000000000000000005|5, 05|br;q=0|*|'
    b"100-Continue|max=1, Timeout = 7|timeout=123456|no-transform|identity|gzip|\xe9\xff|transfer-encoding"
).split(b"|")
_TARGETS = (
    b"/|/|/|/|/a/b?c=d|*|HTTP://A:80/b?c|http://a|/a//b|/a/./b|/%2e|/a\\b|/?//%|a|http://a/|http://b/|http://|ftp://a/|"
    b"/a#b|/\xc3\xa9|http://a:80/|https://a:443|http://a./b|http://a:/|http://A:80?b|http://a@b/|a:443|//|/.|/a b|http://a?b"
).split(b"|")
_METHODS = (b"GET",) * 10 + (b"POST", b"HEAD", b"OPTIONS", b"CONNECT", b"M-SEARCH", b"PRI", b"get", b"G,T", b"")
_VERSIONS = (b"HTTP/1.1",) * 20 + (b"HTTP/1.0",) * 5 + (b"HTTP/2.0", b"HTTP/1.2", b"http/1.1", b"HTTP/1.x", b"")
_ENDS = (b"\r\n",) * 200 + (b"\n", b"\r", b"\r\r\n", b" \r\n", b"\r\n ")
_COLONS = (b": ",) * 80 + (b":", b":", b":\t ", b":\t ", b" :", b"", b"::")
_SCRAPS = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\x00",
    b" ",
    b"\t",
    b":",
    b"\x7f",
    b"\x80",
    b"\r\n\r\n",
    b"\r\n ",
    b",",
    b"_",
    b"x",
    b"0",
    b";",
)
# Lines that a message with them is not refused for, as long as they are alone.
_SOUND = (
    b"Content-Length: 5|Transfer-Encoding: chunked|Connection: keep-alive|Connection: close, X-A|"
    b"Connection: A, te, accept|Connection: upgrade|Upgrade: websocket|Keep-Alive: timeout=5|"
    b'If-None-Match: "a-lb-gzip"|If-Match: "a"|If-Range: x-lb-br|Content-Length: 005|Accept-Encoding: br;q=0|'
    b"Keep-Alive: max=1, Timeout = 7|Expect: 100-Continue|TE: trailers|Via: 1.1 lb, 1.0 LB x|Via: 1.1 a|"
    b"Range: bytes=0-1|Accept: text/html|accept:\t*/* |Accept-Encoding: gzip|User-Agent: x|Referer: http://a/|"
    b"X-Forwarded-For: 1.1.1.1|X-Forwarded-For: 2.2.2.2, 3.3.3.3|X-Forwarded-Proto: https|X-Forwarded-Host: b|"
    b"X-Forwarded: x|X-Forwarded-: x|X-Forwardedx: x|Forwarded: for=1|X-Real-IP: 1|X-Real_IP: 1|X_Y: 1|"
    b"X_Forwarded_For: 1|Content_Length: 1|X-Request-Id: abc-1|X-Request-Id: a b|Client-Cert: x|"
    b"Client-Cert-Chain: x|Proxy: x|Proxy-Connection: x|Proxy-Authorization: x|Proxy-Authenticate: x|"
    b"Cookie: a=b; c_d=\xff|A: b|a:|Ho: x|Content-Type: text/html|Cache-Control: No-Transform|Content-Range: x|"
    b"Content-Encoding: gzip|Content-Encoding: identity|Date: x|Set-Cookie: a=b|Trailer: A"
).split(b"|")
_REASONS = (b" OK", b" OK", b" OK", b" ", b"", b" O\tK\xff", b" \x01", b"X")

_CASES: tuple[Callable[[bytes], bytes], ...] = (bytes, bytes.lower, bytes.upper)

# Small ones are met by short inputs.
LIMITS = (
    Limits(),
    Limits(),
    Limits(),
    Limits(line=40),
    Limits(total=120),
    Limits(fields=3),
    Limits(line=30, total=100, fields=2),
)


_WILD = st.tuples(
    st.sampled_from([case(name) for name in _NAMES for case in _CASES]),
    st.sampled_from(_COLONS),
    st.sampled_from(_VALUES),
    st.sampled_from(_ENDS),
).map(b"".join)
_FIELDS = st.lists(
    st.one_of(
        *(st.sampled_from([case(line) + b"\r\n" for line in _SOUND for case in _CASES]) for _ in range(4)), _WILD
    ),
    max_size=7,
).map(b"".join)


@st.composite
def damaged(draw: st.DrawFn, sound: st.SearchStrategy[bytes]) -> bytes:
    """A message as it is, or with a few bytes taken out, put in or repeated, or cut off."""
    data = draw(sound)
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 1, 2)))):
        at = draw(st.integers(0, len(data)))
        size = draw(st.integers(0, 3))
        scrap = draw(st.one_of(st.sampled_from(_SCRAPS), st.binary(max_size=2), st.just(data[at : at + 20])))
        data = data[:at] + scrap + data[at + size :]
    if draw(st.integers(0, 9)) == 7:
        data = data[: draw(st.integers(0, len(data)))]
    return data


_REQUEST = st.tuples(
    st.sampled_from((b"",) * 20 + (b"\r\n", b"\r\n" * 4, b"\r\n" * 5, b"\n")),
    st.sampled_from([method + b" " + target + b" " for method in _METHODS for target in _TARGETS]),
    st.sampled_from(_VERSIONS),
    st.sampled_from(_ENDS),
    st.sampled_from((b"Host: a\r\n",) * 20 + (b"", b"Host:\r\n", b"Host: A:80\r\n", b"Host: a.\r\n")),
    _FIELDS,
    st.sampled_from((b"\r\n", b"\r\n\r\n", b"\r\nGET /")),
).map(b"".join)

# What instances may write loosely: alone, or before and behind others.
_LOOSE = st.sampled_from(
    (
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"Content-Length: 05, 5\r\n",
        b"content-length : 7\r\n",
        b"Transfer-Encoding:\r\n chunked\r\n",
        b"X: a\r\n\tb\r\n",
        b"X: a\r\n \r\n",
        b" X: a\r\n",
        b"Content-Type : text/html\r\n",
        b"Connection: close\r\n , x\r\nX : y\r\n",
        b"Upgrade\t: a\r\n",
    )
)
_LOOSE_FIELDS = st.tuples(_FIELDS, _LOOSE, _FIELDS).map(b"".join)

_RESPONSE = st.tuples(
    st.sampled_from(_VERSIONS),
    st.sampled_from(
        (b" 200",) * 10
        + (b" 101", b" 204", b" 304", b" 599", b" 600", b" 999", b" 099", b" 20", b" 2000", b" abc", b"")
    ),
    st.sampled_from(_REASONS),
    st.sampled_from(_ENDS),
    st.one_of(_FIELDS, _LOOSE_FIELDS),
    st.sampled_from((b"\r\n", b"\r\nbody")),
).map(b"".join)

# Heads whose lines end with LF.
_RESPONSE_BY_LF = st.tuples(_RESPONSE, st.integers(0, 9)).map(
    lambda made: made[0].replace(b"\r\n", b"\n") if made[1] < 2 else made[0]
)


_EXTENSIONS = (
    b";a",
    b';a="b"',
    b" ;a",
    b";\x01",
    b"; a = b",
    b';a="b\\"c";d',
    b";a=b;c=d",
    b";",
    b";a=",
    b';a="b',
    b";a b",
    b";a ",
    b";a=\xff",
    b'; a="\xff\t";b\t=c',
    b"\t",
)


@st.composite
def _chunk(draw: st.DrawFn) -> bytes:
    payload = draw(st.binary(min_size=1, max_size=20))
    size: str = draw(st.sampled_from(("{:x}", "{:X}", "0{:x}", "{}", "0" * 16 + "{:x}", "{:x}  "))).format(len(payload))
    extension: bytes = draw(st.sampled_from((b"",) * 9 + _EXTENSIONS))
    return size.encode() + extension + b"\r\n" + payload + b"\r\n"


_CHUNKS = st.tuples(
    st.lists(_chunk(), max_size=5).map(b"".join),
    st.sampled_from((b"0\r\n", b"00\r\n", b"0;x\r\n")),
    st.one_of(st.just(b""), _FIELDS),
    st.just(b"\r\n"),
    st.binary(max_size=5),
).map(b"".join)

REQUESTS = damaged(_REQUEST)
RESPONSES = damaged(_RESPONSE_BY_LF)
CHUNKS = damaged(_CHUNKS)
