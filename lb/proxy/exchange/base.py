"""The state of an exchange, and its single exit.

Whatever happens, an exchange ends in `finish`, once: by `fail` with an error, by `reply` with an answer of our own, by
`cut` when the service ends, or when its response is complete. The steps before that are in the files that derive from
this one: `attempt`, `response` and `exchange`. None has an `__init__`, which would be one more call per request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.errors import ProxyError
from lb.http.head import RequestHead, ResponseHead
from lb.http.refused import Refused, explained
from lb.http.reply import Reply, error_reply, render_lines
from lb.process.remaining import DOWNLOAD, EVENT_STREAM, REQUEST, UPLOAD
from lb.proxy.exchange.admission import origin
from lb.proxy.exchange.by_route import RequestView, own_reply, response_lines
from lb.proxy.exchange.file_body import FileBody
from lb.proxy.exchange.interim import Interims
from lb.proxy.exchange.request_body import RequestBody
from lb.proxy.exchange.response_body import ResponseBody
from lb.proxy.exchange.states import CHECKING, DECIDING, DONE, SERVING, WAITING
from lb.proxy.handler import Handler
from lb.proxy.upstream.connection import Upstream
from lb.routing.instance import Instance
from lb.routing.route import Route
from lb.telemetry.record import HTTP2, Record

if TYPE_CHECKING:
    from lb.proxy.client_info import ClientInfo
    from lb.proxy.downstream import Downstream
    from lb.proxy.engine import Engine
    from lb.proxy.guards.gate import Gate

# Statuses after which it is unknown where the next request begins.
_CLOSES = frozenset((400, 408, 413, 414, 417, 431, 501, 505))
# Failures that show that an instance no longer works, and for which it is passed over for a while (F1).
_BLAMED = frozenset(
    (
        "http_protocol_error",
        "http_response_header_section_size",
        "http_response_incomplete",
        "http_response_timeout",
        "instance_speaks_tls",
    )
)
_PLAIN = __file__.endswith(".py")  # uncompiled: compiled attributes start as None, zero and False by themselves


class ExchangeBase(Handler):
    """One request on its way. `phase` is where it stands (see `states`); `head_out` means that the client has been sent
    the head of a response; `expecting` that the client waits for a 100 before it sends its body.
    """

    __slots__ = (
        "all_busy",
        "answer",
        "attempts",
        "cause",
        "client",
        "continued",
        "detail",
        "engine",
        "expecting",
        "file",
        "flush_due",
        "gate",
        "head",
        "head_out",
        "idempotent",
        "info",
        "instance",
        "interims",
        "keep_alive",
        "key",
        "last_error",
        "last_instance",
        "phase",
        "received",
        "refused",
        "request",
        "request_id",
        "response",
        "route",
        "sent",
        "snapshot",
        "started",
        "status",
        "tried",
        "upgrading",
        "upstream",
    )

    def begin(self, engine: Engine, client: Downstream, info: ClientInfo, head: RequestHead | None) -> None:
        """Set what it is about; called first. `head` is None only for a request that could not be read."""
        if _PLAIN:
            self._clear()
        self.engine = engine
        self.client = client
        self.info = info
        self.head: RequestHead = head  # type: ignore[assignment]
        self.snapshot = engine.snapshot
        self.started = engine.poller.now
        self.last_instance = b""
        self.detail = ""

    def _clear(self) -> None:
        # Each of the first is set in the phase that first needs it, and None before (`upstream` and `instance` again
        # after).
        self.route: Route = None  # type: ignore[assignment]
        self.instance: Instance = None  # type: ignore[assignment]
        self.upstream: Upstream = None  # type: ignore[assignment]
        self.response: ResponseHead = None  # type: ignore[assignment]
        self.answer: ResponseBody = None  # type: ignore[assignment]
        self.request: RequestBody = None  # type: ignore[assignment]  # stays None where there is no body
        self.tried: list[Instance] | None = None
        self.key: bytes | None = None
        self.last_error: ProxyError | None = None
        self.refused: Refused | None = None
        self.request_id: bytes | None = None
        self.cause: str | None = None
        self.phase = DECIDING
        self.file: FileBody = None  # type: ignore[assignment]  # stays None where no file goes out by pieces
        self.interims: Interims | None = None
        self.gate: Gate = None  # type: ignore[assignment]  # stays None where nothing that takes time stands before it
        self.status = self.attempts = 0
        self.received = self.sent = 0
        self.head_out = self.idempotent = self.upgrading = self.keep_alive = self.all_busy = False
        self.expecting = self.continued = self.flush_due = False

    def identity(self) -> bytes:
        """The request's identifier: the X-Request-Id that came with it, or one of ours."""
        if self.request_id is None:
            if self.head is not None and self.head.request_id is not None:
                self.request_id = self.head.request_id
            else:
                self.request_id = self.engine.ids.new()
        return self.request_id

    def asking(self) -> RequestView:
        """What the rules of its route go by."""
        return RequestView(self.info, self.head, self.route, self.snapshot, self.identity())

    def unread(self) -> bool:
        """Whether bytes of the request may still be on their way."""
        if self.head is None or self.status == 101:
            return True
        if self.request is not None:
            return not self.request.done
        return self.head.chunked or self.head.body_length > 0

    def describe(self) -> tuple[str, bytes, bytes]:
        route = self.route
        if route is None:
            return REQUEST, b"", b""
        if self.request is not None and not self.request.done:
            kind = UPLOAD
        elif self.phase == SERVING:
            kind = DOWNLOAD
        elif self.response is None:
            kind = REQUEST
        elif self.response.content_type().partition(b";")[0].strip().lower() == b"text/event-stream":
            kind = EVENT_STREAM
        else:
            kind = DOWNLOAD
        return kind, route.environment.app, route.environment.name

    def _leave_instance(self, keep: bool) -> None:
        """Return or close the connection, and let the next in the queue have the instance."""
        upstream = self.upstream
        if upstream is not None:
            self.upstream = None  # type: ignore[assignment]
            upstream.release(keep)
        instance = self.instance
        if instance is not None:
            self.instance = None  # type: ignore[assignment]
            self.last_instance = instance.label
            instance.left()
            if self.status == 101:
                instance.tunnelled(-1)
            if self.route.environment.waiting:
                self.engine.queue.rouse(self.route.environment)

    def fail(self, error: ProxyError) -> None:
        """End with this error: as a reply if none has begun, else by breaking off."""
        if self.phase == DONE:
            return
        self.cause = error.cause.code
        self.detail = error.detail
        if self.instance is not None and self.cause in _BLAMED:
            self.route.environment.failed(self.instance, self.engine.poller.now, self.cause)
        self._leave_instance(False)
        if self.head_out:  # an orderly end would look like the response's; either ends in `client_gone`
            if self.answer is not None and self.answer.ends_by_close(self.client):
                self.client.reset()
            else:
                self.client.abort()
            return
        if self.head is not None:
            accept = self.head.accept()
        else:
            accept = self.refused.accept if self.refused is not None else b""
        route = self.route
        body_cap, keys = (route.body_cap, route.keys()) if route is not None else (0, {})
        detail = explained(error, self.snapshot.limits, body_cap, keys)
        self.reply(error_reply(error.cause, accept, self.identity(), detail, error.retry_after, error.fields))

    def refuse(self, error: ProxyError, refused: Refused | None) -> None:
        """End a request that could not be read, with this error; `refused` is what could be read of it."""
        self.refused = refused
        if refused is not None and refused.host:
            self.route = self.snapshot.table.find(refused.host)  # type: ignore[assignment]  # for the log
        self.fail(error)

    def cut(self) -> None:
        """End it because the service ends: with a reply if none has begun, else so that the client can see that the
        rest is missing: in a chunked response the last chunk, in one of known length some bytes.
        """
        if self.phase == DONE:
            return
        if not self.head_out:
            self.fail(ProxyError("proxy_stopped"))
            return
        self.cause = "proxy_stopped"
        self._leave_instance(False)
        if self.answer is not None and self.answer.ends_by_close(self.client):
            self.client.reset()  # which ends in `client_gone`; an orderly end would look like the response's
        else:
            self.finish(False)

    # Called by the tunnel that it has become

    def count(self, received: int, sent: int) -> None:
        """Count bytes that the tunnel has passed on."""
        self.received += received
        self.sent += sent

    def let_go(self) -> None:
        """The connection to the instance ends by itself, after its backlog."""
        self.upstream = None  # type: ignore[assignment]

    def end_tunnel(self, cause: str | None) -> None:
        """Both sides of the tunnel are done; `cause` is None unless it failed."""
        if cause is not None:
            self.cause = cause
        self._leave_instance(False)
        self.finish(False)

    def reply(self, reply: Reply) -> None:
        """Send a reply of our own."""
        head = self.head
        self._leave_instance(False)
        keep_alive = head is not None and head.keep_alive and not self.unread() and not self.engine.draining
        # After an upgrade that fails there may be bytes of the other protocol (RFC 9931).
        if reply.status in _CLOSES or (head is not None and head.upgrade is not None):
            keep_alive = False
        if head is not None:
            head_only = head.method == b"HEAD"
        else:
            head_only = self.refused is not None and self.refused.method == b"HEAD"
        self.answer = None  # type: ignore[assignment]  # the instance's was waiting for the rest of its body
        self.status = reply.status
        self.head_out = True
        extras = self.route.extras if self.route is not None else None
        if extras is not None and head is not None:
            reply = own_reply(extras, head, reply)
        body = b"" if head_only else reply.body
        self.sent = len(body)
        lines = render_lines(reply, self.engine.date_line[6:-2], self.identity())
        if extras is not None and head is not None:
            lines = response_lines(lines, self.asking())
        self.client.head(lines, b"", keep_alive, False)
        self.client.piece(body, b"")
        self.finish(keep_alive)

    def _stop_waiting(self) -> None:
        self.phase = DECIDING
        self.engine.queue.leave(self.route.environment, self)

    def finish(self, keep_alive: bool) -> None:
        """The single exit: report what happened, and let the client's connection go on."""
        if self.phase == DONE:
            return
        if self.phase == WAITING:
            self._stop_waiting()
        elif self.phase == CHECKING:
            self.gate.leave()
        self.phase = DONE
        self.engine.finished(self._record())
        client = self.client
        client.done(keep_alive, self.unread())

    def _record(self) -> Record:
        record = Record()
        head = self.head
        record.client = self.info.address
        record.scheme = self.info.scheme
        if head is not None:
            record.of_request(head)
        elif self.refused is not None:
            record.of_refused(self.refused)
        else:
            record.of_none()
        if self.client.is_http2:
            record.minor = HTTP2
        route = self.route
        if route is not None:
            record.app = route.environment.app
            record.environment = route.environment.name
            if route.names_client and head is not None:
                record.client = origin(self.info, head, route, self.snapshot)
                record.scheme = self.info.scheme_of(route, head)
        else:
            record.app = record.environment = b""
        record.instance = self.last_instance
        record.request_id = self.identity()
        record.status = self.status
        record.cause = self.cause
        if self.cause is not None:
            record.detail = self.detail.encode("ascii", "replace")
        record.sent = self.answer.sent if self.answer is not None else self.sent
        record.received = self.request.received if self.request is not None else self.received
        record.duration = self.engine.poller.tick() - self.started
        return record
