"""Single fields and cookies within a head."""

from __future__ import annotations

import pytest

from lb.http.cookies import cookie_value, field_value, without_cookie, without_set_cookie

START = b"GET / HTTP/1.1\r\n"


def kept(*lines: bytes) -> bytes:
    return START + b"".join(line + b"\r\n" for line in lines)


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        ((b"X-User: ann",), b"ann"),
        ((b"x-USER:\t ann \t",), b"ann"),
        ((b"X-User: ann", b"X-User: bob"), b"ann"),
        ((b"X-User:",), b""),
        ((b"X-Users: ann", b"Y: X-User: bob"), None),
    ],
)
def test_the_first_field_of_a_name(lines: tuple[bytes, ...], value: bytes | None) -> None:
    assert field_value(kept(*lines), b"x-user") == value


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        ((b"Cookie: id=1",), b"1"),
        ((b"Cookie: a=b; id=1; id=2",), b"1"),
        ((b"Cookie: a=b", b"cookie:id=1"), b"1"),
        ((b"Cookie: id=1=2",), b"1=2"),
        ((b"Cookie: ID=1; xid=2; id",), None),
        ((b"Set-Cookie: id=1",), None),
    ],
)
def test_the_first_cookie_of_a_name(lines: tuple[bytes, ...], value: bytes | None) -> None:
    # RFC 6265 section 5.4
    assert cookie_value(kept(*lines), b"id") == value


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        ((b"Cookie: id=1", b"A: b"), (b"A: b",)),
        ((b"Cookie: a=b; id=1; c=d",), (b"Cookie: a=b; c=d",)),
        ((b"Cookie: id=1; a=b", b"Cookie: id=2"), (b"Cookie: a=b",)),
        ((b"Cookie:  a=b;  c=d ",), (b"Cookie:  a=b;  c=d ",)),
        ((b"Cookie: xid=1",), (b"Cookie: xid=1",)),
    ],
)
def test_a_request_without_one_cookie(lines: tuple[bytes, ...], left: tuple[bytes, ...]) -> None:
    # spec: F1
    assert without_cookie(kept(*lines), b"id") == kept(*left)


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        ((b"Set-Cookie: id=1; Path=/", b"A: b"), (b"A: b",)),
        ((b"Set-Cookie: id=1", b"Set-Cookie: a=b", b"set-cookie: id=2"), (b"Set-Cookie: a=b",)),
        ((b"Set-Cookie: a=id=1",), (b"Set-Cookie: a=id=1",)),
    ],
)
def test_a_response_that_does_not_set_one(lines: tuple[bytes, ...], left: tuple[bytes, ...]) -> None:
    # spec: F1
    assert without_set_cookie(kept(*lines), b"id") == kept(*left)
