"""The fields of a response whose body gets a coding on the way (C2), as tables: head before, head after."""

from __future__ import annotations

import pytest

from lb.http.transform import encoded, varied, without_digests

OK = b"HTTP/1.1 200 OK\r\n"
VARY = b"Vary: Accept-Encoding\r\n"


@pytest.mark.parametrize(
    ("fields", "added"),
    [
        (b"", VARY),
        (b"A: b\r\n", VARY),
        (b"Vary: Cookie\r\n", VARY),
        (b"vary:\r\n", VARY),
        (b"X-Vary: Accept-Encoding\r\n", VARY),
        (b"Vary: X-Accept-Encoding, Accept-Encoding-X\r\n", VARY),
        (b"Vary: Cookie\r\nVary: Origin\r\n", VARY),
        (b"Vary: Accept-Encoding\r\n", b""),
        (b"VARY:cookie,\tACCEPT-encoding ,origin\r\n", b""),
        (b"A: b\r\nVary: *\r\nC: d\r\n", b""),
        (b"Vary: Cookie\r\nVary: Accept-Encoding\r\n", b""),
        (b"Vary: Cookie\r\nA: b\r\nVary: Origin\r\nVary:*\r\n", b""),
    ],
)
def test_who_does_not_vary_yet_varies(fields: bytes, added: bytes) -> None:
    # spec: C2; RFC 9110 section 12.5.5
    assert varied(OK + fields) == OK + fields + added


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b""),
        (b"A: b\r\nContent-Type: text/plain\r\n", b"A: b\r\nContent-Type: text/plain\r\n"),
        (b"Content-Length: 5\r\nA: b\r\naccept-ranges:bytes\r\n", b"A: b\r\n"),
        (b"CONTENT-ENCODING: identity\r\nContent-Encoding:\r\nA: b\r\nContent-Encoding: identity\r\n", b"A: b\r\n"),
        (b"X-Content-Length: 5\r\nContent-Length-X: 5\r\n", b"X-Content-Length: 5\r\nContent-Length-X: 5\r\n"),
        (b'ETag: "a"\r\nA: b\r\n', b'ETag: "a-lb-gzip"\r\nA: b\r\n'),
        (b'A: b\r\nContent-Length: 5\r\netag:"a" \r\n', b'A: b\r\netag:"a-lb-gzip" \r\n'),
        (b'ETag: ""\r\n', b'ETag: "-lb-gzip"\r\n'),
        (b"ETag: a\r\n", b"ETag: a-lb-gzip\r\n"),
        (b"ETag:\r\nA: b\r\n", b"ETag:\r\nA: b\r\n"),
        (b'ETag: W/"a"\r\n', b'ETag: W/"a"\r\n'),
        (b'ETag:W/"a"\r\n', b'ETag:W/"a"\r\n'),
        (b'X-ETag: "a"\r\n', b'X-ETag: "a"\r\n'),
    ],
)
def test_what_was_true_of_the_other_body_goes(before: bytes, after: bytes) -> None:
    # spec: C2; RFC 9110 section 8.8.3.3
    assert encoded(OK + before, b"gzip") == OK + after + b"Content-Encoding: gzip\r\n"


DIGESTS = (
    b"Content-Digest: sha-256=:x:\r\n",
    b"repr-digest:sha-512=:x:\r\n",
    b"Digest: SHA-256=x\r\n",
    b"CONTENT-MD5: x\r\n",
    b"x-amz-checksum-crc32: x\r\n",
    b"X-Amz-Checksum-SHA256: x\r\n",
    b"X-Checksum-Sha1: x\r\n",
    b"x-goog-hash: crc32c=x\r\n",
    b"x-ms-content-crc64: x\r\n",
    b"x-oss-hash-crc64ecma: 1\r\n",
    b"OC-Checksum: SHA1:x\r\n",
)


@pytest.mark.parametrize("line", DIGESTS)
def test_digests_of_the_other_bytes_go(line: bytes) -> None:
    # spec: C2; RFC 9530 sections 2 and 3
    assert encoded(OK + b"A: b\r\n" + line + line + b"C: d\r\n", b"br") == OK + (
        b"A: b\r\nC: d\r\nContent-Encoding: br\r\n"
    )
    assert without_digests(line + b"A: b\r\n" + line) == b"A: b\r\n"
    assert without_digests(line) == b""


@pytest.mark.parametrize(
    "line",
    [
        b"Unencoded-Digest: sha-256=:x:\r\n",
        b"Want-Digest: sha-256\r\n",
        b"X-Digest: Digest: x\r\n",
        b"x-amz-meta-checksum: x\r\n",
        b"Digests: x\r\n",
    ],
)
def test_what_is_no_digest_of_them_stays(line: bytes) -> None:
    # spec: H6
    assert encoded(OK + line, b"br") == OK + line + b"Content-Encoding: br\r\n"
    assert without_digests(line) == line
    assert without_digests(b"") == b""
