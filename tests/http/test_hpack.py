"""Header blocks become HTTP/1 heads: the RFC's examples, the state of the table, and what is refused how."""

from __future__ import annotations

import hpack
import pytest

from lb.errors import ProxyError
from lb.http.h2_errors import COMPRESSION_ERROR, ENHANCE_YOUR_CALM, MalformedError, SessionError
from lb.http.head import Limits
from lb.http.hpack import HpackDecoder
from lb.http.scan import scan_request
from tests.http.h2_blocks import GET, Fields, encoded
from tests.http.ways import values

LIMITS = Limits()

# RFC 7541 C.3 and C.4: three requests on one connection, without and with the Huffman code
EXAMPLES = (
    (
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ),
    (
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ),
)
HEADS = (
    b"GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: www.example.com\r\ncache-control: no-cache\r\n\r\n",
    b"GET /index.html HTTP/1.1\r\nHost: www.example.com\r\ncustom-key: custom-value\r\n\r\n",
)


def text_of(fields: Fields, *, ended: bool = True, limits: Limits = LIMITS) -> bytes:
    return HpackDecoder().request_text(encoded(fields), limits, ended)


@pytest.mark.parametrize("blocks", EXAMPLES, ids=("plain", "huffman"))
def test_the_requests_of_the_rfc(blocks: tuple[str, ...]) -> None:
    # spec: W1
    decoder = HpackDecoder()
    for block, head in zip(blocks, HEADS, strict=True):
        assert decoder.request_text(bytes.fromhex(block), LIMITS, True) == head
    assert decoder.scheme == b"https"


def test_the_responses_of_the_rfc_evict_from_a_small_table() -> None:
    # spec: W1
    first = (  # begins with the table's size, 256
        "3fe101 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6"
        "2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3"
    )
    third = (
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d"
        "d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106"
        "3d50 07"
    )
    blocks = (first, "4883 640e ffc1 c0bf", third)
    decoder = HpackDecoder()
    statuses = [decoder.response(bytes.fromhex(block), LIMITS).status for block in blocks[:2]]
    head = decoder.response(bytes.fromhex(blocks[2]), LIMITS)
    assert [*statuses, head.status] == [302, 307, 200]
    assert head.kept == (
        b"HTTP/1.1 200 \r\ncache-control: private\r\ndate: Mon, 21 Oct 2013 20:13:22 GMT\r\n"
        b"location: https://www.example.com\r\ncontent-encoding: gzip\r\n"
        b"set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\r\n"
    )


def test_a_request_says_what_the_same_one_says_over_http_1() -> None:
    # spec: W1
    fields = [*GET, (b"accept", b"*/*"), (b"user-agent", b"a browser"), (b"content-length", b"5"), (b"x_a", b"\xff")]
    head = HpackDecoder().request(encoded(fields), LIMITS, False)
    text = text_of(fields, ended=False)
    assert text.startswith(b"GET / HTTP/1.1\r\nHost: app.example\r\naccept: */*\r\n")
    same = scan_request(text, LIMITS)
    assert values(head) == values(same)
    assert (head.user_agent(), head.body_length, head.minor, head.keep_alive) == (b"a browser", 5, 1, True)


def test_a_body_of_unknown_length_is_chunked_and_nothing_else_is() -> None:
    # spec: F5
    assert b"Transfer-Encoding: chunked\r\n" in text_of(GET, ended=False)
    assert b"Transfer-Encoding" not in text_of(GET)
    assert b"Transfer-Encoding" not in text_of([*GET, (b"content-length", b"7")], ended=False)
    assert HpackDecoder().request(encoded(GET), LIMITS, False).chunked


def test_a_length_without_a_body_is_malformed() -> None:
    # spec: F5
    with pytest.raises(MalformedError, match="no body"):
        HpackDecoder().request(encoded([*GET, (b"content-length", b"7")]), LIMITS, True)
    assert HpackDecoder().request(encoded([*GET, (b"content-length", b"0")]), LIMITS, True).body_length == 0


def test_cookies_become_one_line() -> None:
    # spec: H6
    crumbs: Fields = [(b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2"), (b"cookie", b"c=3")]
    assert text_of([*GET, *crumbs]).endswith(b"x: y\r\ncookie: a=1; b=2; c=3\r\n\r\n")


def test_a_host_is_that_of_authority() -> None:
    # spec: W1
    host = (b"host", b"APP.example")
    assert text_of([*GET, host]).count(b"\r\n") == 3
    assert text_of([*GET[:3], host]) == b"GET / HTTP/1.1\r\nhost: APP.example\r\n\r\n"


def test_what_a_request_says_besides_its_head() -> None:
    # spec: W1 W3
    decoder = HpackDecoder()
    decoder.request(encoded([*GET, (b"te", b"Trailers"), (b"priority", b"u=1, i")]), LIMITS, True)
    assert (decoder.scheme, decoder.protocol, decoder.priority, decoder.te_trailers) == (b"https", b"", b"u=1, i", True)
    encoder = hpack.Encoder()
    decoder = HpackDecoder()
    decoder.request(encoder.encode([*GET, (b"priority", b"u=1, i")]), LIMITS, True)
    decoder.request(encoder.encode([*GET[:1], (b":scheme", b"http"), *GET[2:]]), LIMITS, True)
    assert (decoder.scheme, decoder.priority, decoder.te_trailers) == (b"http", b"", False)


WEBSOCKET: Fields = [
    (b":method", b"CONNECT"),
    (b":protocol", b"websocket"),
    *GET[1:],
    (b"sec-websocket-version", b"13"),
]


def test_an_extended_connect_is_an_upgrade() -> None:
    # spec: W1
    decoder = HpackDecoder()
    block = encoded(WEBSOCKET)
    head = decoder.request(block, LIMITS, False)
    assert (decoder.protocol, head.method, head.upgrade, head.chunked) == (b"websocket", b"GET", b"websocket", False)
    kept = head.kept
    head.kept += b"Sec-WebSocket-Key: x\r\n"
    assert HpackDecoder().request(block, LIMITS, False).kept == kept, "the changed head is not shared"


def test_a_plain_connect_is_not_served() -> None:
    # spec: F5
    with pytest.raises(ProxyError) as error:
        HpackDecoder().request(encoded([(b":method", b"CONNECT"), (b":authority", b"a.example:443")]), LIMITS, False)
    assert error.value.cause.code == "method_not_supported"


MALFORMED: tuple[tuple[str, Fields], ...] = (
    ("lower-case token", [*GET, (b"X-A", b"1")]),
    ("lower-case token", [*GET, (b"a b", b"1")]),
    ("lower-case token", [*GET, (b"a:", b"1")]),
    ("lower-case token", [*GET, (b"", b"1")]),
    ("control character", [*GET, (b"a", b"1\r\nb: 2")]),
    ("control character", [*GET, (b"a", b"1\x00")]),
    ("control character", [GET[0], (b":path", b"/\n"), *GET[1:2]]),
    ("with a blank", [*GET, (b"a", b" 1")]),
    ("with a blank", [*GET, (b"a", b"1\t")]),
    ("HTTP/1", [*GET, (b"connection", b"close")]),
    ("HTTP/1", [*GET, (b"keep-alive", b"timeout=5")]),
    ("HTTP/1", [*GET, (b"proxy-connection", b"close")]),
    ("HTTP/1", [*GET, (b"transfer-encoding", b"chunked")]),
    ("HTTP/1", [*GET, (b"upgrade", b"h2c")]),
    ("follows a field", [*GET[:3], (b"a", b"1"), GET[3]]),
    ("follows a field", [*GET[:3], (b"cookie", b"1"), GET[3]]),
    ("given twice", [*GET, GET[0]]),
    ("given twice", [*GET, (b":path", b"/other")]),
    ("not one of this message", [*GET, (b":status", b"200")]),
    ("not one of this message", [*GET, (b":x", b"1")]),
    (":method is missing", GET[1:]),
    (":scheme is missing", [GET[0], *GET[2:]]),
    (":path is missing", [*GET[:2], GET[3]]),
    (":path is missing", [*GET[:2], (b":path", b""), GET[3]]),
    ("not a token", [(b":method", b"GET /x"), *GET[1:]]),
    ("not a token", [(b":method", b""), *GET[1:]]),
    ("slash", [*GET[:2], (b":path", b"http://other.example/"), GET[3]]),
    ("slash", [*GET[:2], (b":path", b"a"), GET[3]]),
    ("TE", [*GET, (b"te", b"gzip")]),
    ("TE", [*GET, (b"te", b"trailers, gzip")]),
    ("Host is given twice", [*GET, (b"host", b"app.example"), (b"host", b"app.example")]),
    ("different authorities", [*GET, (b"host", b"other.example")]),
    ("different authorities", [*GET, (b"host", b"")]),
    ("CONNECT", [(b":method", b"CONNECT"), *GET[1:]]),
    ("CONNECT", [(b":method", b"CONNECT")]),
    (":protocol", [*GET, (b":protocol", b"websocket")]),
    (":protocol", [*WEBSOCKET[:4], (b"a", b"b")]),
    (":protocol", [WEBSOCKET[0], (b":protocol", b"a b"), *GET[1:]]),
)


@pytest.mark.parametrize(("detail", "fields"), MALFORMED)
def test_a_malformed_request_is_refused_and_the_table_stays_in_step(detail: str, fields: Fields) -> None:
    # spec: W1
    encoder = hpack.Encoder()
    decoder = HpackDecoder()
    mark = (b"x-mark", b"of the table")
    with pytest.raises(MalformedError, match=detail):
        decoder.request(encoder.encode([*fields, mark]), LIMITS, True)
    block = encoder.encode([*GET, mark])
    assert decoder.request(block, LIMITS, True).kept.endswith(b"x-mark: of the table\r\n")
    assert len(block) < len(encoded([*GET, mark])), "it refers to what the refused block had put into the table"
    with pytest.raises(MalformedError, match=detail):  # also when the fields come from the table
        decoder.request(encoder.encode(fields), LIMITS, True)


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("http_request_error", [*GET[:3], (b":authority", b"user@app.example")]),
        ("http_request_error", [*GET[:3], (b":authority", b"")]),
        ("http_request_error", GET[:3]),
        ("http_request_error", [*GET[:2], (b":path", b"/a b"), GET[3]]),
        ("http_request_error", [*GET[:2], (b":path", b"/#a"), GET[3]]),
        ("http_request_error", [*GET[:2], (b":path", b"*"), GET[3]]),
        ("http_request_error", [*GET, (b"content-length", b"5"), (b"content-length", b"5")]),
        ("http_request_error", [*GET, (b"content-length", b"+5")]),
        ("request_line_too_long", [*GET[:2], (b":path", b"/" * 8200), GET[3]]),
        ("request_header_too_large", [*GET, (b"a", b"b" * 8200)]),
        ("expectation_failed", [*GET, (b"expect", b"200-ok")]),
    ],
)
def test_what_http_1_refuses_is_refused_alike(code: str, fields: Fields) -> None:
    # spec: F5 L1
    with pytest.raises(ProxyError) as error:
        HpackDecoder().request(encoded(fields), LIMITS, True)
    assert error.value.cause.code == code
    assert not isinstance(error.value, MalformedError)


# Limits


def test_a_field_counts_thirty_two_bytes_more() -> None:
    # spec: L1 W1
    limits = Limits(total=sum(len(name) + len(value) + 32 for name, value in GET))
    assert text_of(GET, limits=limits)
    with pytest.raises(ProxyError) as error:
        text_of([*GET, (b"a", b"")], limits=limits)
    assert error.value.cause.code == "request_header_too_large"
    assert "limits.header_total" in error.value.detail


def test_two_hundred_fields_are_enough_crumbs_included() -> None:
    # spec: L1 W1
    crumbs: Fields = [(b"cookie", b"a")] * 196
    assert text_of([*GET, *crumbs])
    with pytest.raises(ProxyError) as error:
        text_of([*GET, *crumbs, (b"cookie", b"a")])
    assert error.value.cause.code == "request_header_too_large"
    assert text_of([*GET, (b"a", b"b")], limits=Limits(fields=5))
    with pytest.raises(ProxyError):
        text_of([*GET, (b"a", b"b")], limits=Limits(fields=4))


def test_what_is_too_large_leaves_the_table_in_step() -> None:
    # spec: W1
    encoder = hpack.Encoder()
    decoder = HpackDecoder()
    mark = (b"x-mark", b"of the table")
    with pytest.raises(ProxyError) as error:
        decoder.request(encoder.encode([*GET, (b"a", b"b" * 1000), mark]), Limits(total=1000), True)
    assert error.value.cause.code == "request_header_too_large"
    assert decoder.text().startswith(b"GET / HTTP/1.1\r\nHost: app.example\r\n")
    assert decoder.request(encoder.encode([*GET, mark]), LIMITS, True).kept.endswith(b"x-mark: of the table\r\n")


def test_what_is_far_too_large_ends_the_connection() -> None:
    # spec: W2
    decoder = HpackDecoder()
    decoder.discard(encoded([(b"a", b"b" * 4000)]), LIMITS)
    with pytest.raises(SessionError) as error:  # an indexed field is one byte, and 4 KB of text
        decoder.request(bytes.fromhex("82878441") + b"\x01a" + b"\xbe" * 60000, LIMITS, True)
    assert error.value.code == ENHANCE_YOUR_CALM


def test_a_discarded_block_changes_the_table_and_says_nothing() -> None:
    # spec: W1
    encoder = hpack.Encoder()
    decoder = HpackDecoder()
    decoder.discard(encoder.encode([(b"X", b" "), (b"x-mark", b"1")] * 300), LIMITS)
    assert decoder.request(encoder.encode([*GET, (b"x-mark", b"1")]), LIMITS, True).kept.endswith(b"x-mark: 1\r\n")


# Trailers


def test_trailers_are_field_lines() -> None:
    # spec: F4
    block = encoded([(b"grpc-status", b"0"), (b"content-length", b"5"), (b"x-a", b"")])
    assert HpackDecoder().trailers(block, LIMITS) == b"grpc-status: 0\r\nx-a: \r\n"
    assert HpackDecoder().trailers(b"", LIMITS) == b""


@pytest.mark.parametrize("field", [(b":path", b"/"), (b"X", b"1"), (b"connection", b"close"), (b"a", b"\x00")])
def test_malformed_trailers_are_refused(field: tuple[bytes, bytes]) -> None:
    # spec: W1
    with pytest.raises(MalformedError):
        HpackDecoder().trailers(encoded([field]), LIMITS)


@pytest.mark.parametrize(
    "fields",
    [[], [(b"a", b"b")], [(b":status", b"20")], [(b":status", b"600")], [(b":status", b"200"), (b":path", b"/")]],
)
def test_malformed_responses_are_refused(fields: Fields) -> None:
    # spec: W3
    with pytest.raises(MalformedError):
        HpackDecoder().response(encoded(fields), LIMITS)


# The encoding itself


@pytest.mark.parametrize(
    ("block", "detail"),
    [
        ("80", "not in the table"),
        ("be", "not in the table"),
        ("7f", "within an integer"),
        ("ffffffffff0f", "too large"),
        ("ff80808080", "too large"),
        ("40", "before a string"),
        ("4001", "within a string"),
        ("400161", "before a string"),
        ("40016102", "within a string"),
        ("7e0161", "not in the table"),
        ("40016181ff", "ends within a code"),  # eight bits of padding
        ("40016182f800", "ends within a code"),  # padding of zeros
        ("40016184ffffffff", "a code that is none"),  # EOS
        ("3fe21f", "larger than allowed"),  # 4097
        ("202020", "too late or too often"),
        ("8220", "too late or too often"),
    ],
)
def test_a_broken_block_ends_the_connection(block: str, detail: str) -> None:
    # spec: W1
    for call in ("request", "discard"):
        decoder = HpackDecoder()
        with pytest.raises(SessionError, match=detail) as error:
            getattr(decoder, call)(bytes.fromhex(block), LIMITS, *([True] if call == "request" else []))
        assert error.value.code == COMPRESSION_ERROR


def test_every_prefix_of_a_block_is_refused_or_whole() -> None:
    # spec: W1
    block = encoded([*GET, (b"x-some-name", b"some value"), (b"x-other", b"b" * 200)])
    whole = 0
    for size in range(len(block)):
        try:
            HpackDecoder().discard(block[:size], LIMITS)
            whole += 1
        except SessionError as error:
            assert error.code == COMPRESSION_ERROR  # noqa: PT017
    assert whole == 6, "after none to five of six fields"


def test_the_table_may_be_resized_twice_at_the_beginning_of_a_block() -> None:
    # spec: W1
    decoder = HpackDecoder()
    decoder.discard(encoded([(b"x-a", b"1")]), LIMITS)
    decoder.discard(bytes.fromhex("be"), LIMITS)
    decoder.discard(bytes.fromhex("203fe11f"), LIMITS)  # to 0, which empties it, and to 4096
    with pytest.raises(SessionError):
        decoder.discard(bytes.fromhex("be"), LIMITS)


def test_an_entry_larger_than_the_table_empties_it() -> None:
    # spec: W1
    decoder = HpackDecoder()
    decoder.discard(encoded([(b"x-a", b"1")]), LIMITS)
    decoder.discard(encoded([(b"x-b", b"1" * 5000)]), LIMITS)
    with pytest.raises(SessionError):
        decoder.discard(bytes.fromhex("be"), LIMITS)


def test_the_table_is_that_of_another_implementation_however_long_a_connection_lasts() -> None:
    # spec: W1
    encoder = hpack.Encoder()
    decoder = HpackDecoder()
    for number in range(3000):
        fields = [*GET, *((b"x-%d" % (number * 7 % 30 + i), b"v" * (number * 13 % 200)) for i in range(number % 9))]
        expected = b"".join(name + b": " + value + b"\r\n" for name, value in fields[4:])
        text = decoder.request_text(encoder.encode(fields), LIMITS, True)
        assert text == b"GET / HTTP/1.1\r\nHost: app.example\r\n" + expected + b"\r\n"


@pytest.mark.parametrize("arguments", [(None, LIMITS, True), (b"", None, True)])
def test_other_types_are_refused(arguments: tuple[object, ...]) -> None:
    call = getattr(HpackDecoder(), "request")  # noqa: B009 - mypy knows better
    with pytest.raises((TypeError, AttributeError)):
        call(*arguments)
