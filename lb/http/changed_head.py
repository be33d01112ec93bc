"""A request's head with other fields than it came with. Heads are shared between requests, so a new one is made."""

from __future__ import annotations

from lb.http.head import RequestHead, field_name, find_places

_COPIED = (
    "accept_again",
    "body_length",
    "chunked",
    "encoding_again",
    "expect",
    "forwarded_for",
    "forwarded_proto",
    "host",
    "keep_alive",
    "length",
    "method",
    "minor",
    "odd_path",
    "passes",
    "ranged",
    "request_id",
    "tagged",
    "target",
    "upgrade",
)


def with_fields(head: RequestHead, names: frozenset[bytes], lines: bytes) -> RequestHead:
    """The same request without the fields of these lower-case names, in any spelling that an app may take for them,
    and with these field lines.
    """
    changed = RequestHead()
    for name in _COPIED:
        setattr(changed, name, getattr(head, name))
    changed.kept = without_lookalikes(head.kept, names) + lines
    find_places(changed)
    return changed


def without_lookalikes(kept: bytes, names: frozenset[bytes]) -> bytes:
    """`kept` without every field of these lower-case names, with `_` and `-` alike: CGI and WSGI have one name for
    both. The start line stays.
    """
    wanted = frozenset(name.replace(b"_", b"-") for name in names)
    first, *lines = kept.split(b"\r\n")
    return b"\r\n".join([first, *(line for line in lines if not line or _plain(line) not in wanted)])


def _plain(line: bytes) -> bytes:
    return field_name(line).replace(b"_", b"-")
