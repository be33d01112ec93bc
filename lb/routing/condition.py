"""What a route asks of a request beside its path: its method, fields, and parameters of its query.

Pure: it reads a head and knows no route. A parameter is compared as a form would read it (`+` is a blank, percent
signs are decoded); a field's value as it was sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from lb.http.cookies import field_value
from lb.http.head import RequestHead

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
        for name, wanted in self.fields:
            value = field_value(head.kept, name)
            if value is None or (wanted is not None and value != wanted):
                return False
        return not self.query or _has_parameters(head.target.partition(b"?")[2], self.query)


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
