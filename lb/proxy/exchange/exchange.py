"""One request and its response, from the first byte to the line in the access log.

An exchange decides (routing and checks; here), forwards (an instance, a connection, the request; `attempt`), answers
(the response, as it arrives; `response`) and ends (`base`); every failure, including a client that leaves, goes through
`fail` or `client_gone` and ends in `finish`, once. It moves bytes between its two connections only through what a
`Downstream` and an `Upstream` offer, and never waits: it is told what happens next. `states` has the table of what may
happen when.
"""

from __future__ import annotations

import errno

from lb.errors import ProxyError
from lb.http.reply import Reply
from lb.proxy.exchange.admission import admit, find_route, origin
from lb.proxy.exchange.by_route import guard, preflight_reply, redirect_reply, response_lines
from lb.proxy.exchange.file_body import FileBody, Part
from lb.proxy.exchange.file_reply import FileReply, file_reply
from lb.proxy.exchange.request_body import RequestBody
from lb.proxy.exchange.response import ResponseHandling
from lb.proxy.exchange.states import CHECKING, DECIDING, DONE, FORWARDING, RESPONDING, SERVING, WAITING
from lb.proxy.files.found_file import Representation
from lb.proxy.filters.compress import new_encoder
from lb.proxy.guards.gate import Gate
from lb.routing.checks import answer_challenge, https_redirect
from lb.routing.environment import Environment
from lb.routing.file_rule import FileRule
from lb.routing.route_extras import RouteExtras

_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"))  # RFC 9110 9.2.2


class Exchange(ResponseHandling):
    """An exchange as its client's side sees it: created for a request, and told what the client does."""

    __slots__ = ()

    def start(self) -> None:
        """Decide about a request that has been read, and forward it."""
        try:
            self._decide()
        except ProxyError as error:
            self.fail(error)

    def _decide(self) -> None:
        head = self.head
        info = self.info
        snapshot = self.snapshot
        if head.odd_path:
            reply = answer_challenge(head.target, head.accept(), self.identity(), snapshot.answer)
            if reply is not None:
                self.reply(reply)
                return
        route = self.route = find_route(info, head, snapshot)
        if route.force_https:
            reply = https_redirect(route, snapshot, head, info.secure, info.address)
            if reply is not None:
                self.reply(reply)
                return
        if head.passes > 0 or route.client_auth is not None:
            admit(info, head, route)
        if route.extras is not None or (head.odd_path and route.choices is not None):
            if (route.extras is None or route.extras.decides or head.odd_path) and not self._may_pass():
                return
            self._take_route()
            return
        self._send_on()

    def _may_pass(self) -> bool:
        """Whether the guards let it pass at once; else it was answered, or they have to ask. Raises ProxyError."""
        asking = self.asking()
        reply = preflight_reply(asking)
        if reply is not None:
            self.reply(reply)
            return False
        rules = guard(asking)
        if not rules:
            return True
        self.gate = gate = Gate(self, rules)
        self.phase = CHECKING
        if gate.open():
            self.phase = DECIDING
            return True
        if self.phase == CHECKING:
            self.client.arm()
        return False

    def let_in(self) -> None:
        """The guards let it pass, after some time."""
        self.phase = DECIDING
        self.client.arm()  # the deadline for them is over
        try:
            self._take_route()
        except ProxyError as error:
            self.fail(error)

    def turn_back(self, reply: Reply, cause: str | None) -> None:
        """A guard does not let it pass, and this is its answer."""
        self.cause = cause
        self.reply(reply)

    def _take_route(self) -> None:
        """Do what the route says. Raises ProxyError."""
        extras = self.route.extras
        if extras is not None and extras.redirect is not None:
            self.reply(redirect_reply(extras.redirect, self.asking()))
        elif extras is not None and extras.files is not None:
            self._serve(extras, extras.files)
        else:
            self._send_on()

    def _send_on(self) -> None:
        """Forward it. Raises ProxyError."""
        self._frame()
        self._enter(self.route.environment)
        self.forward()

    def _serve(self, extras: RouteExtras, rule: FileRule) -> None:
        """Answer with a file, or with what is said in place of one. Raises ProxyError."""
        reply = file_reply(self, rule)
        parts: tuple[Part, ...] | None = None
        if isinstance(reply, Representation):
            form = reply
            lines = form.lines
            self.status = 200
        elif isinstance(reply, FileReply):
            said = reply
            form = said.form
            lines = said.lines
            parts = said.parts
            self.status = said.status
        else:
            self.reply(reply)
            return
        head = self.head
        self.keep_alive = head.keep_alive and not self.engine.draining and not self.unread() and head.upgrade is None
        self.head_out = True
        if extras.marks:
            lines = response_lines(lines, self.asking())
        bodiless = parts == () or head.method == b"HEAD"
        self.client.head(lines, self.engine.date_line, self.keep_alive, form.streamed and not bodiless)
        if bodiless:
            self.client.piece(b"", b"")
        elif parts is None and form.file.data is not None:
            self.sent = form.size
            self.client.piece(form.file.data, b"")
        else:
            self.phase = SERVING
            encoder = new_encoder(form.coding) if form.streamed else None
            self.file = FileBody(form.file, parts or ((0, form.size),), encoder)
            self._serve_on()
            return
        self.finish(self.keep_alive)

    def _serve_on(self) -> None:
        """Send what the client takes of the file."""
        try:
            self.file.send(self.client)
        except ProxyError as error:
            self.fail(error)
            return
        self.sent = self.file.sent
        if self.file.done:
            self.finish(self.keep_alive)
        else:
            self.client.arm()

    def _frame(self) -> None:
        """Find out whether the request may be repeated, how its body ends, and whether it asks for an upgrade."""
        head = self.head
        self.idempotent = head.method == b"GET" or head.method in _IDEMPOTENT
        if head.chunked or head.body_length > 0:
            self.request = RequestBody(head, self.route.body_cap, self.snapshot.limits)
            self.client.read_much(True)
            self.expecting = head.expect
        if head.upgrade is not None and b"h2c" not in head.upgrade.lower():
            self.upgrading = True  # with any method, and after a body if there is one (RFC 9110 7.8)

    def _enter(self, environment: Environment) -> None:
        """Register it with the environment, and take from there what the balancer uses."""
        if environment.budget is not None:
            environment.budget.request(self.engine.poller.now)
        if environment.key is not None:
            self.key = environment.key(self.head, origin(self.info, self.head, self.route, self.snapshot))

    def client_ended(self) -> bool:
        """The client has closed its side; whether it may still wait for an answer."""
        # While there is no connection yet, the rest of the body may be here already, unread.
        if self.unread() and self.phase in (FORWARDING, RESPONDING):
            self.client.abort()
            return False
        return True

    def probe_client(self) -> None:
        if self.phase != RESPONDING or self.head_out:
            self.client.probe(self.head_out)

    def client_late(self) -> None:
        if self.phase == CHECKING:
            self.fail(self.gate.late())
        elif self.phase == WAITING:
            deployment = self.route.environment.deployment
            if deployment is not None and deployment.is_held():
                self.fail(deployment.late())
            else:
                self.fail(ProxyError("destination_unavailable", "every instance was busy for too long"))
        elif self.awaits_client():
            self.fail(ProxyError("request_timeout"))

    def client_severed(self) -> None:
        self.client.abort()  # no client is left to answer

    def client_drained(self) -> None:
        """The client has taken all that was queued for it."""
        upstream = self.upstream
        if self.phase == SERVING:
            self._serve_on()
        elif upstream is not None and upstream.paused and not self.client.full:
            upstream.read_much(True)
            upstream.resume()
            timeout = self.route.read if self.phase == RESPONDING else self.route.response
            self.engine.deadlines.watch(upstream, self.engine.poller.now + timeout)

    def client_gone(self) -> None:
        """The client's connection is closed: the instance works for it in vain (F3)."""
        if self.phase == DONE:
            return
        if self.cause is None and self.client.failure == errno.ETIMEDOUT:
            self.cause = "client_stopped_reading"  # or it is unreachable: the system has given up on it
        elif self.cause is None and not self._is_event_stream():
            self.cause = "client_closed_request"
        if not self.head_out:
            self.status = 499
        self._leave_instance(False)
        self.finish(False)

    def _is_event_stream(self) -> bool:
        """Whether the response is an event stream: it ends only when the client leaves, which is no error."""
        return self.phase == RESPONDING and self.response.content_type().lower().startswith(b"text/event-stream")

    def client_stopped(self) -> None:
        """The client has taken nothing for too long: end it, and name it as the cause in the log (L4)."""
        self.cause = "client_stopped_reading"
        self.client.abort()
