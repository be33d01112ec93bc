"""Checks of a request before an instance is involved: the reserved path and the redirect to HTTPS.

Pure and synchronous; each returns a Reply that ends the request, or None to let it pass.
"""

from __future__ import annotations

import re
from string import hexdigits

from lb.errors import CAUSES
from lb.http.forwarding import forwarded_scheme
from lb.http.head import RequestHead
from lb.http.reply import Reply, error_reply, redirect
from lb.routing.route import Route
from lb.routing.snapshot import Answer, Snapshot
from lb.routing.table import host_name

RESERVED = b"/.well-known/acme-challenge/"
_DECODINGS = 4  # times that a path is decoded: no real client needs more, and each may reveal the next
_escapes = re.compile(rb"%([0-9A-Fa-f]{2})")  # urllib raises an exception for each invalid "%"
_DECODED = {(one + two).encode(): bytes.fromhex(one + two) for one in hexdigits for two in hexdigits}


def answer_challenge(target: bytes, accept: bytes, request_id: bytes, answer: Answer) -> Reply | None:
    """The reserved path of lb itself (T6): a known token gets its key authorization, every other spelling of the path
    404.
    """
    path = target.partition(b"?")[0]
    if not path.startswith(RESERVED) and not plain_path(path).startswith(RESERVED):
        return None
    text = answer(path[len(RESERVED) :]) if path.startswith(RESERVED) else None
    if text is None:
        return error_reply(CAUSES["challenge_not_found"], accept, request_id, "")
    return Reply(200, ((b"Content-Type", b"application/octet-stream"), (b"Cache-Control", b"no-store")), text)


def plain_path(path: bytes) -> bytes:
    """The path as a lenient server could read it: decoded as often as possible, backslashes turned, dots and doubled
    slashes resolved. One that is encoded too often to be resolved is treated as the reserved one.
    """
    for _ in range(_DECODINGS):
        parts = _escapes.split(path)
        if len(parts) == 1:
            break
        parts[1::2] = map(_DECODED.__getitem__, parts[1::2])
        path = b"".join(parts)
    else:
        return RESERVED
    kept: list[bytes] = []
    segments = path.replace(b"\\", b"/").split(b"/")
    for segment in segments:
        if segment == b"..":
            del kept[-1:]
        elif segment not in (b"", b"."):
            kept.append(segment)
    tail = b"/" if segments[-1] in (b"", b".", b"..") and kept else b""
    return b"/" + b"/".join(kept) + tail


def https_redirect(route: Route, snapshot: Snapshot, head: RequestHead, secure: bool, address: bytes) -> Reply | None:
    """The redirect of a domain with force_https (T2), if the client used HTTP: as the connection shows, or as the CDN
    in front of it reports, if that is trusted (T3).
    """
    if route.proxied and snapshot.trusts(address):
        if forwarded_scheme(head) != b"http":
            return None
        return redirect_to_https(head.method, head.host, head.target, None)
    if secure:
        return None
    return redirect_to_https(head.method, head.host, head.target, snapshot.https_port)


def redirect_to_https(method: bytes, host: bytes, target: bytes, port: int | None) -> Reply:
    """The same host, path and query over HTTPS (T2): 301 for GET and HEAD, 308 otherwise; `port` is None for 443."""
    if target == b"*":
        target = b""  # the URL form of `OPTIONS *` (RFC 9112 3.2.4)
    name = host_name(host)
    authority = b"[%b]" % name if b":" in name else name
    if port is not None and port != 443:
        authority += b":%d" % port
    if target == b"*":
        target = b""  # the URL form of `OPTIONS *` (RFC 9112 3.2.4)
    return redirect(b"https://" + authority + target, 301 if method in (b"GET", b"HEAD") else 308)
