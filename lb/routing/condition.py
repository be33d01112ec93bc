"""What a route asks of a request beside its path: its method, fields, and parameters of its query.

Pure: it reads a head and knows no route. A parameter is compared as a form would read it (`+` is a blank, percent
signs are decoded); a field's value as it was sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from lb.http.head import RequestHead, field_name

Wanted = tuple[tuple[bytes, bytes | None], ...]
"""Names, and the values that they must have; None: any."""


@dataclass(frozen=True, slots=True)
class RequestCondition:
    """All of it must hold. `methods` is empty where any will do; names of fields are in lower case."""

    methods: frozenset[bytes]
    fields: Wanted
    query: Wanted

    def holds(self, head: RequestHead) -> bool:
        """Whether this request is meant."""
        if self.methods and head.method not in self.methods:
            return False
        if self.fields and not _has_fields(head.kept, self.fields):
            return False
        return not self.query or _has_parameters(head.target.partition(b"?")[2], self.query)


def _has_fields(kept: bytes, wanted: Wanted) -> bool:
    """Whether each is on one of the lines, as an app may read their names: `_` and `-` are alike to CGI and WSGI."""
    found: set[tuple[bytes, bytes | None]] = set()
    for line in kept.split(b"\r\n")[1:]:
        name = field_name(line).replace(b"_", b"-")
        found.add((name, line.partition(b":")[2].strip(b" \t")))
        found.add((name, None))
    return all((name.replace(b"_", b"-"), value) in found for name, value in wanted)


def _has_parameters(query: bytes, wanted: Wanted) -> bool:
    found: set[tuple[bytes, bytes | None]] = set()
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        plain = _plain(name)
        found.add((plain, _plain(value)))
        found.add((plain, None))
    return all(one in found for one in wanted)


def _plain(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))
