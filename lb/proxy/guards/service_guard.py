"""Lets a request pass if an authentication service says so ("forward auth"): it is sent the request's head as a GET,
and a 2xx is its consent. Anything else that it answers is the client's answer.

What the service goes by is said by fields that a client cannot forge: those that describe the client to apps, and the
method, host and URI of the request. Where there is no answer, nobody passes. It knows the request and one connection;
addresses and turns are the business of `auth_service`.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lb.errors import ProxyError
from lb.http.body import CHUNKED, CLOSE, LENGTH, NONE, Body
from lb.http.changed_head import with_fields, without_lookalikes
from lb.http.head import Limits, ResponseHead, field_name
from lb.http.reply import Reply
from lb.proxy.descriptors import OURS
from lb.proxy.handler import Handler
from lb.proxy.upstream.connection import Upstream
from lb.proxy.upstream.pool import take_idle
from lb.routing.auth_rules import ForwardAuthRule
from lb.routing.instance import Instance

if TYPE_CHECKING:
    from lb.proxy.guards.guarded import Guarded, Guards
    from lb.proxy.guards.services import GuardServices

_LARGEST = 256 << 10  # bytes of an answer's body: it is held in memory
_URI_FIELDS = (b"x-original-method", b"x-original-uri", b"x-original-url", b"x-rewrite-url")
# What is about the body, which does not go along, about a stored response, or about the request's own connection.
_NOT_ASKED = frozenset(
    (
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"if-unmodified-since",
        b"range",
        b"trailer",
        b"transfer-encoding",
        b"x-request-id",
        *_URI_FIELDS,
    )
)
# What is made anew for the client, or was about the service's connection.
_NOT_ANSWERED = frozenset(
    (b"connection", b"content-length", b"date", b"keep-alive", b"trailer", b"transfer-encoding", b"x-request-id")
)


class ServiceGuard(Handler):
    """The question about one request."""

    __slots__ = (
        "_addresses",
        "_body",
        "_guards",
        "_has_turn",
        "_is_fresh",
        "_pieces",
        "_request",
        "_response",
        "_rule",
        "_service",
        "_upstream",
        "timeout",
    )

    def __init__(self, rule: ForwardAuthRule, request: Guarded, guards: Guards, services: GuardServices) -> None:
        self._rule = rule
        self._request = request
        self._guards: Guards | None = guards
        self._service = services.service(rule)
        self._addresses: list[Instance] = []  # still to be tried, the next one last
        self._upstream: Upstream | None = None
        self._response: ResponseHead | None = None
        self._body: Body | None = None
        self._pieces: list[bytes] = []
        self._has_turn = self._is_fresh = False
        self.timeout = rule.timeout

    # Called by the gate

    def begin(self) -> bool:
        self._service.enter(self)
        return False

    def late(self) -> ProxyError:
        return ProxyError("forward_auth_timeout")

    def leave(self) -> None:
        self._guards = None
        self._service.forget(self)
        self._part(keep=False)

    # Called by the service

    def go(self, addresses: Sequence[Instance]) -> None:
        self._has_turn = True
        self._addresses = list(addresses)[::-1]
        self._next_address(ProxyError("forward_auth_unavailable"))

    def refused(self, error: ProxyError) -> None:
        self._fail(error)

    # The connection

    def _next_address(self, error: ProxyError) -> None:
        """Ask at the next address; without one it fails with this error."""
        engine = self._request.engine
        while self._addresses:
            instance = self._addresses[-1]
            upstream = None if self._is_fresh else take_idle(instance, False, engine.poller.now)
            if upstream is not None:
                self._ask(upstream)
                return
            self._is_fresh = True
            upstream = Upstream(engine, instance) if engine.connector is None else engine.connector(engine, instance)
            number = upstream.reach()
            if number in (0, errno.EINPROGRESS):
                self._upstream = upstream
                upstream.tell(self)
                engine.deadlines.watch(upstream, engine.poller.now + self.timeout)
                if number == 0:
                    self._ask(upstream)
                return
            if number in OURS:
                error = ProxyError("out_of_descriptors")
                break
            self._addresses.pop()
        self._fail(error)

    def _ask(self, upstream: Upstream) -> None:
        engine = self._request.engine
        self._upstream = upstream
        upstream.tell(self)
        self._service.worked(upstream.instance)
        engine.deadlines.watch(upstream, engine.poller.now + self.timeout)
        upstream.send(question(self._rule, self._request))

    def upstream_connected(self) -> None:
        if self._upstream is not None:
            self._ask(self._upstream)

    def upstream_refused(self, _error: int) -> None:
        if self._upstream is not None:
            self._upstream.tell(None)
            self._upstream = None
        self._addresses.pop()
        self._next_address(ProxyError("forward_auth_unavailable"))

    def upstream_late(self) -> None:
        self._fail(self.late())

    def upstream_ended(self) -> None:
        body = self._body
        if body is not None and body.kind == CLOSE:
            self._conclude(is_whole=False)
        else:
            self._broken()

    def upstream_lost(self) -> None:
        self._upstream = None
        self._broken()

    def _broken(self) -> None:
        """The connection ended too early. One that had been idle may have been closed meanwhile: ask anew."""
        upstream = self._upstream
        if not self._is_fresh and self._response is None:
            self._is_fresh = True
            if upstream is not None:
                self._upstream = None
                upstream.release(False)
            self._next_address(ProxyError("forward_auth_unavailable"))
        elif self._response is None:
            self._fail(ProxyError("forward_auth_unavailable", "it closed the connection before it answered"))
        else:
            self._fail(ProxyError("forward_auth_error", "it closed the connection in the middle of its answer"))

    # The answer

    def response_data(self) -> None:
        try:
            if self._is_read():
                self._conclude(is_whole=True)
        except ProxyError as error:
            detail = error.detail
            if error.cause.code == "request_body_too_large":
                detail = f"it is longer than {_LARGEST >> 10} KiB"
            self._fail(ProxyError("forward_auth_error", detail))

    def _is_read(self) -> bool:
        """Read what has arrived; whether that decides it. Raises ProxyError."""
        upstream = self._upstream
        limits = self._request.snapshot.limits
        while self._response is None:
            if upstream is None:
                return False
            response = upstream.scan_response(limits)
            if response is None:
                return False
            if response.status == 101:
                raise ProxyError("http_upgrade_failed", "it switched to another protocol")
            if response.status >= 200:
                self._response = response
                self._body = _body_of(response, limits)
        body = self._body
        if body is None or upstream is None:
            return False
        try:
            while not body.done and upstream.have:
                upstream.read_body(body)
                self._pieces.append(upstream.take_ready())
        except ProxyError:
            if not self._consents():
                raise
            return True
        return body.done or (body.kind == CLOSE and self._consents())

    def _consents(self) -> bool:
        return self._response is not None and 200 <= self._response.status < 300

    def _conclude(self, *, is_whole: bool) -> None:
        """The answer is known."""
        response = self._response
        body = self._body
        upstream = self._upstream
        guards = self._guards
        if response is None or body is None or upstream is None or guards is None:
            return
        keep = is_whole and body.done and body.kind != CLOSE and response.keep_alive and upstream.have == 0
        self._guards = None
        self._part(keep=keep)
        if self._consents():
            request = self._request
            if self._rule.names:
                names = frozenset(name.lower() for name in self._rule.names)
                request.head = with_fields(request.head, names, copied_lines(response.kept, self._rule.names))
            guards.passed()
        else:
            guards.answered(reply_of(response, b"".join(self._pieces)), _cause(response.status))

    def _part(self, *, keep: bool) -> None:
        """Be done with the connection and the turn."""
        upstream = self._upstream
        self._upstream = None
        if upstream is not None:
            upstream.release(keep)
        if self._has_turn:
            self._has_turn = False
            self._service.left()

    def _fail(self, error: ProxyError) -> None:
        guards = self._guards
        self._guards = None
        self._part(keep=False)
        if guards is not None:
            guards.failed(error)


def question(rule: ForwardAuthRule, request: Guarded) -> bytes:
    """What the service is sent."""
    head = request.head
    names = _NOT_ASKED | {name.lower() for name in rule.names}  # nobody says of himself what the service is to say
    fields = without_lookalikes(head.kept, names).partition(b"\r\n")[2]
    scheme = request.info.scheme
    return b"".join(
        (
            b"GET %b HTTP/1.1\r\nHost: %b\r\n" % (rule.target, rule.authority),
            fields,
            request.info.forwarded(request.route, head),
            b"X-Forwarded-Method: %b\r\nX-Forwarded-Host: %b\r\n" % (head.method, head.host),
            b"X-Forwarded-Uri: %b\r\n" % head.target,
            b"X-Original-Method: %b\r\nX-Original-URI: %b\r\n" % (head.method, head.target),
            b"X-Original-URL: %b://%b%b\r\n" % (scheme, head.host, head.target),
            b"X-Request-Id: %b\r\n\r\n" % request.identity(),
        )
    )


def copied_lines(kept: bytes, names: Sequence[bytes]) -> bytes:
    """The field lines of an answer that go on with the request, each under the name that the configuration has."""
    wanted = {name.lower(): name for name in names}
    lines = []
    for line in kept.split(b"\r\n")[1:]:
        name = wanted.get(field_name(line))
        if name is not None:
            lines.append(b"%b: %b\r\n" % (name, line.partition(b":")[2].strip(b" \t")))
    return b"".join(lines)


def reply_of(response: ResponseHead, body: bytes) -> Reply:
    """The service's answer, as the client's."""
    fields = []
    for line in response.kept.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon and name.lower() not in _NOT_ANSWERED:
            fields.append((name, value.strip(b" \t")))
    return Reply(response.status, tuple(fields), body)


def _cause(status: int) -> str | None:
    """What the log says of an answer: to send a client to a login page is no error."""
    if status < 400:
        return None
    return "forward_auth_denied" if status < 500 else "forward_auth_error"


def _body_of(response: ResponseHead, limits: Limits) -> Body:
    """How the rest of the answer is read (RFC 9112 6.3). Raises ProxyError for a refusal that is too long."""
    if response.status in (204, 304):
        return Body(NONE, 0, _LARGEST, limits)
    if response.chunked:
        return Body(CHUNKED, 0, _LARGEST, limits, True)
    if response.body_length >= 0:
        return Body(LENGTH, response.body_length, _LARGEST, limits)
    return Body(CLOSE, 0, _LARGEST, limits)
