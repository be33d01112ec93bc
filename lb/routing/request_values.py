"""What placeholders stand for in one request."""

from __future__ import annotations

from lb.http.head import RequestHead
from lb.http.path_pattern import PathPattern
from lb.routing.table import host_name


class RequestValues:
    """Looked up by name, each made when it is asked for. `pattern` has the route's parameters, None if it has none."""

    __slots__ = ("_client", "_head", "_pattern", "_request_id", "_scheme")

    def __init__(
        self, head: RequestHead, scheme: bytes, client: bytes, request_id: bytes, pattern: PathPattern | None
    ) -> None:
        self._head = head
        self._scheme = scheme
        self._client = client
        self._request_id = request_id
        self._pattern = pattern

    def __call__(self, name: str) -> bytes:
        """The value; empty for a parameter that the path does not have."""
        head = self._head
        path, _, query = head.target.partition(b"?")
        match name:
            case "host":
                host = host_name(head.host)
                return b"[%b]" % host if b":" in host else host
            case "hostport":
                return head.host
            case "port":  # with its colon, as a redirect to another name wants it
                return b"".join(head.host.rpartition(b"]")[2].partition(b":")[1:])
            case "path":
                return path
            case "query":
                return query
            case "client":
                return self._client
            case "request_id":
                return self._request_id
            case "scheme":
                return self._scheme
        return self._pattern.captures(path).get(name, b"") if self._pattern is not None else b""
