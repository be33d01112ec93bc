"""The replies that lb itself makes: error pages and redirects, and their bytes on the wire.

This file knows what a reply looks like; it does not know why it is sent (`lb.errors` has the causes), which client
waits for it, or what time it is. All external input is escaped for its context: HTML, JSON, one line of text, a field
value.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html import escape
from http import HTTPStatus

from lb.errors import CAUSES, Cause
from lb.http.negotiate import choose_error_form

REASONS: dict[int, bytes] = {status.value: status.phrase.encode() for status in HTTPStatus}
REASONS[413] = b"Content Too Large"  # RFC 9110's name; the standard library has it from 3.13 on
REASONS[499] = b"Client Closed Request"

_Fields = tuple[tuple[bytes, bytes], ...]

_DETAIL_LIMIT = 200
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_is_uri = re.compile(rb"[\x21-\x7e]*+").fullmatch
_IN_A_URI = tuple(b"%c" % byte if 0x21 <= byte <= 0x7E else b"%%%02X" % byte for byte in range(256))
_NO_BODY = frozenset({204, 304})

# Inline style and nothing else: the page loads nothing, runs nothing and cannot be framed.
_HTML_FIELDS: _Fields = (
    (b"Content-Type", b"text/html; charset=utf-8"),
    (b"Content-Security-Policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
)
_JSON_FIELDS: _Fields = ((b"Content-Type", b"application/json"),)
_TEXT_FIELDS: _Fields = ((b"Content-Type", b"text/plain; charset=utf-8"),)

_MESSAGE = "\0message\0"
_REQUEST_ID = "\0request id\0"
_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{status} {reason}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ margin: 15vh auto 0; padding: 0 1.5rem; max-width: 38rem; font: 1.05rem/1.6 system-ui, sans-serif }}
h1 {{ font-size: 1.6rem; line-height: 1.25 }}
dl {{ margin-top: 2.5rem; padding-top: 1rem; border-top: 1px solid; font-size: .9rem }}
dt {{ float: left; clear: left; width: 6rem }}
dd {{ margin-left: 6rem; font-family: ui-monospace, monospace; overflow-wrap: anywhere }}
</style>
</head>
<body>
<main>
<h1>{status} {reason}</h1>
<p>{message}</p>
<p>{mend}</p>
<dl>
<dt>Cause</dt><dd>{code}</dd>
<dt>Request</dt><dd>{request_id}</dd>
</dl>
</main>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete response: status, its own fields (never framing, Date or Connection), body."""

    status: int
    fields: _Fields
    body: bytes


def error_reply(
    cause: Cause, accept: bytes, request_id: bytes, detail: str, retry_after: int | None = None, more: _Fields = ()
) -> Reply:
    """The reply for a request that failed, in the form that `accept` (the Accept field's value, b"" if none) asks for.

    `detail` says what exactly was wrong, "" if there is nothing to add; it is shown to the client, so it must not
    contain an internal address. `retry_after` (seconds) replaces the cause's own, `more` are fields
    of this error alone. Proxy-Status is RFC 9209's.
    """
    detail = _UNPRINTABLE.sub("?", detail)[:_DETAIL_LIMIT]
    message = f"{cause.sentence.removesuffix('.')}: {detail}." if detail else cause.sentence
    identity = request_id.decode("latin-1")
    match choose_error_form(accept):
        case "html":
            fields, body = _HTML_FIELDS, _html(cause, message, identity)
        case "json":
            fields, body = _JSON_FIELDS, _json(cause, message, identity)
        case _:
            fields, body = _TEXT_FIELDS, _text(cause, message, identity)
    fields += (
        (b"X-Content-Type-Options", b"nosniff"),
        (b"Cache-Control", b"no-store"),
        (b"Proxy-Status", _proxy_status(cause, detail)),
    )
    if retry_after is None:
        retry_after = cause.retry_after
    if retry_after is not None:
        fields += ((b"Retry-After", b"%d" % retry_after),)
    return Reply(cause.status, fields + more, body.encode())


def redirect(location: bytes, status: int) -> Reply:
    """A redirect to `location`; bytes that no URI may hold are percent-encoded, so that none can end the field."""
    if _is_uri(location) is None:
        location = b"".join(map(_IN_A_URI.__getitem__, location))
    return Reply(status, ((b"Location", location), *_TEXT_FIELDS), b"%d %s: %s\n" % (status, REASONS[status], location))


def render_lines(reply: Reply, date: bytes, request_id: bytes) -> bytes:
    """The status line and the field lines of the reply, without those that the client's connection adds.

    `date` is the value of the Date field, `request_id` that of X-Request-Id (H5). The status line always says HTTP/1.1
    (RFC 9110 section 2.5).
    """
    lines = [b"HTTP/1.1 %d %s" % (reply.status, REASONS.get(reply.status, b"")), b"Date: " + date]
    lines += [name + b": " + value for name, value in reply.fields]
    if reply.status not in _NO_BODY:
        lines.append(b"Content-Length: %d" % len(reply.body))
    if request_id:
        lines.append(b"X-Request-Id: " + request_id)
    return b"\r\n".join(lines) + b"\r\n"


def _page_parts(cause: Cause) -> tuple[str, str, str]:
    """The page of a cause, split at the two places that differ between requests: message and request id."""
    page = _PAGE.format(
        status=cause.status,
        reason=REASONS[cause.status].decode(),
        message=_MESSAGE,
        mend=escape(cause.mend),
        code=escape(cause.code),
        request_id=_REQUEST_ID,
    )
    before, _, rest = page.partition(_MESSAGE)
    between, _, after = rest.partition(_REQUEST_ID)
    return before, between, after


_PAGES = {code: _page_parts(cause) for code, cause in CAUSES.items()}


def _text(cause: Cause, message: str, request_id: str) -> str:
    """One line, for a user to quote when reporting the request."""
    return f"{cause.status} {cause.code}: {message} {cause.mend} (request {_UNPRINTABLE.sub('?', request_id)})\n"


def _html(cause: Cause, message: str, request_id: str) -> str:
    before, between, after = _PAGES[cause.code]
    return f"{before}{escape(message)}{between}{escape(request_id)}{after}"


def _json(cause: Cause, message: str, request_id: str) -> str:
    error = {
        "status": cause.status,
        "cause": cause.code,
        "message": message,
        "mend": cause.mend,
        "request_id": request_id,
    }
    return json.dumps({"error": error}) + "\n"


def _proxy_status(cause: Cause, detail: str) -> bytes:
    """RFC 9209; `details` is a structured-field string, printable ASCII with two characters escaped (RFC 8941 section
    3.3.3).
    """
    if not detail:
        return b"lb; error=" + cause.code.encode()
    quoted = detail.replace("\\", "\\\\").replace('"', '\\"')
    return f'lb; error={cause.code}; details="{quoted}"'.encode()
