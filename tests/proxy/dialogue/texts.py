"""Messages that many dialogues begin with, and what an instance is told in them."""

from __future__ import annotations


def head(*lines: str | bytes) -> bytes:
    """These lines and the empty one behind them."""
    encoded = [line.encode() if isinstance(line, str) else line for line in lines]
    return b"\r\n".join((*encoded, b"", b""))


DATE = "Date: now"  # whatever the time is

# What the proxy tells an instance of a client at 192.0.2.1 that asks for app.example over plain HTTP.
FIELDS = (
    "X-Real-IP: 192.0.2.1",
    "X-Forwarded-For: 192.0.2.1",
    "X-Forwarded-Proto: http",
    "Forwarded: for=192.0.2.1;host=app.example;proto=http",
    "Via: 1.1 lb",
)

_COMMON = ("Host: app.example", "X-Request-Id: r")

GET = head("GET / HTTP/1.1", *_COMMON)
GET_FORWARDED = head("GET / HTTP/1.1", *_COMMON, *FIELDS)

POST = head("POST / HTTP/1.1", *_COMMON, "Content-Length: 4")
POST_FORWARDED = head("POST / HTTP/1.1", *_COMMON, "Content-Length: 4", *FIELDS)

POST_CHUNKED = head("POST / HTTP/1.1", *_COMMON, "Transfer-Encoding: chunked")
POST_CHUNKED_FORWARDED = head("POST / HTTP/1.1", *_COMMON, *FIELDS, "Transfer-Encoding: chunked")
