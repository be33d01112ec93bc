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
    Content-Encoding Set-Cookie x-forwarded- Ho Connectio X-Forwarded-For2
""".split()
_VALUES = (
    b"a|a:80|[::1]:8|a@b|0|5|007|+5|5,5|0x5|999999999999999999|9999999999999999999|chunked|Chunked|chunked, gzip|gzip|"
    b"keep-alive|close|Close, X-A|te, upgrade, A|Upgrade|accept, a, user-agent,,|websocket|100-continue|x||"
    b"1.1 lb|1.0 LB x, 1.1 lb|bytes=0-1|1.1.1.1|2.2.2.2, 3.3.3.3|http|abc-123/=+:|timeout=5|text/html|x_y|"
    b"a b|host, content-length|"
    b"100-Continue|max=1, Timeout = 7|timeout=123456|no-transform|identity|gzip|\xe9\xff|transfer-encoding"
).split(b"|")
_TARGETS = (
    b"/|/a/b?c=d|*|/a//b|/a/./b|/%2e|/a\\b|/?//%|a|http://a/|http://a|HTTP://A:80/b?c|http://b/|http://|ftp://a/|/a#b|/\xc3\xa9|"
    b"a:443|//|/.|/a b|http://a?b"
).split(b"|")
_METHODS = (b"GET", b"POST", b"HEAD", b"OPTIONS", b"CONNECT", b"M-SEARCH", b"PRI", b"get", b"G,T", b"")
_VERSIONS = (b"HTTP/1.1",) * 8 + (b"HTTP/1.0", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.2", b"http/1.1", b"HTTP/1.x", b"")
_ENDS = (b"\r\n",) * 30 + (b"\n", b"\r", b"\r\r\n", b" \r\n", b"\r\n ")
_COLONS = (b": ",) * 8 + (b":", b":\t ", b" :", b"", b"::")
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
_REASONS = (b" OK", b" ", b"", b" O\tK\xff", b" \x01", b"X")

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


@st.composite
def fields(draw: st.DrawFn) -> bytes:
    lines = draw(
        st.lists(
            st.tuples(
                st.sampled_from(_NAMES), st.sampled_from(_COLONS), st.sampled_from(_VALUES), st.sampled_from(_ENDS)
            ),
            max_size=7,
        )
    )
    cased = draw(st.sampled_from(_CASES))
    return b"".join(cased(name) + colon + value + end for name, colon, value, end in lines)


@st.composite
def damaged(draw: st.DrawFn, sound: st.SearchStrategy[bytes]) -> bytes:
    """A message as it is, or with a few bytes taken out, put in or repeated, or cut off."""
    data = draw(sound)
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 1, 2)))):
        at = draw(st.integers(0, len(data)))
        size = draw(st.integers(0, 3))
        scrap = draw(st.one_of(st.sampled_from(_SCRAPS), st.binary(max_size=2), st.just(data[at : at + 20])))
        data = data[:at] + scrap + data[at + size :]
    if draw(st.booleans()):
        data = data[: draw(st.integers(0, len(data)))]
    return data


_REQUEST = st.tuples(
    st.sampled_from((b"",) * 9 + (b"\r\n", b"\r\n" * 4, b"\r\n" * 5, b"\n")),
    st.sampled_from([method + b" " + target + b" " for method in _METHODS for target in _TARGETS]),
    st.sampled_from(_VERSIONS),
    st.sampled_from(_ENDS),
    st.sampled_from((b"Host: a\r\n",) * 5 + (b"", b"Host: A:80\r\n")),
    fields(),
    st.sampled_from((b"\r\n", b"\r\n\r\n", b"\r\nGET /")),
).map(b"".join)

_RESPONSE = st.tuples(
    st.sampled_from(_VERSIONS),
    st.sampled_from((b" 200",) * 5 + (b" 101", b" 204", b" 304", b" 999", b" 099", b" 20", b" 2000", b" abc", b"")),
    st.sampled_from(_REASONS),
    st.sampled_from(_ENDS),
    fields(),
    st.sampled_from((b"\r\n", b"\r\nbody")),
).map(b"".join)


@st.composite
def _chunk(draw: st.DrawFn) -> bytes:
    payload = draw(st.binary(min_size=1, max_size=20))
    size: str = draw(st.sampled_from(("{:x}", "{:X}", "0{:x}", "{}"))).format(len(payload))
    extension: bytes = draw(st.sampled_from((b"",) * 5 + (b";a", b';a="b"', b" ;a", b";\x01")))
    return size.encode() + extension + b"\r\n" + payload + b"\r\n"


_CHUNKS = st.tuples(
    st.lists(_chunk(), max_size=5).map(b"".join),
    st.sampled_from((b"0\r\n", b"00\r\n", b"0;x\r\n")),
    st.one_of(st.just(b""), fields()),
    st.just(b"\r\n"),
    st.binary(max_size=5),
).map(b"".join)

REQUESTS = damaged(_REQUEST)
RESPONSES = damaged(_RESPONSE)
CHUNKS = damaged(_CHUNKS)
