"""A balancer's key: a part of the request, as the configuration names it.

Pure; knows heads, and nothing of balancers or connections.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lb.http.cookies import cookie_value, field_value
from lb.http.head import RequestHead

RequestKey = Callable[[RequestHead, bytes], bytes | None]
"""From a request and its client's address to the key, or None if the request has none."""


@dataclass(frozen=True, slots=True)
class HashKey:
    """`hash_on`: `source` is client_address, uri, header or cookie; `name` that of the header (lower case) or cookie.

    A request without its header or cookie uses its client's address.
    """

    source: str
    name: bytes = b""

    def __call__(self, head: RequestHead, address: bytes) -> bytes:
        found: bytes | None = None
        if self.source == "uri":
            found = head.target
        elif self.source == "header":
            found = field_value(head.kept, self.name)
        elif self.source == "cookie":
            found = cookie_value(head.kept, self.name)
        return address if found is None else found


@dataclass(frozen=True, slots=True)
class StickyKey:
    """The token in the cookie that ties a client to an instance."""

    name: bytes

    def __call__(self, head: RequestHead, _address: bytes) -> bytes | None:
        return cookie_value(head.kept, self.name)
