"""One request and its response, from the first byte to the line in the access log.

An exchange decides (routing and checks), forwards (an instance, a connection, the request), answers (the response, as
it comes) and ends; every failure, a client that leaves included, goes through `fail` or `client_gone` and ends in
`finish`, once. It moves bytes between its two connections only through what a `Wire` offers, and waits for nothing:
what happens next is told to it.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from lb.errors import CAUSES, ProxyError, as_instance_fault, connecting_detail, looks_like_tls
from lb.http.body import CLOSE
from lb.http.etags import apps_conditions
from lb.http.forwarding import is_among
from lb.http.head import CONTENT_LENGTH, RequestHead, ResponseHead, without_fields
from lb.http.refused import Refused, explained
from lb.http.reply import Reply, error_reply, render_lines
from lb.process.remaining import DOWNLOAD, EVENT_STREAM, REQUEST, UPLOAD
from lb.proxy.descriptors import OURS
from lb.proxy.exchange.admission import admit, find_route, origin
from lb.proxy.exchange.interim import CONTINUE, CONTINUE_AFTER, Interims
from lb.proxy.exchange.request_body import RequestBody
from lb.proxy.exchange.response_body import ResponseBody
from lb.proxy.exchange.tunnel import Tunnel
from lb.proxy.handler import Handler
from lb.proxy.upstream.connection import Upstream
from lb.proxy.upstream.pool import may_connect, take_idle
from lb.routing.checks import answer_challenge, https_redirect
from lb.routing.environment import Environment
from lb.routing.instance import Instance
from lb.routing.route import Route
from lb.telemetry.record import Record

if TYPE_CHECKING:
    from lb.proxy.client_info import ClientInfo
    from lb.proxy.downstream import Downstream
    from lb.proxy.engine import Engine

DECIDING, WAITING, CONNECTING, FORWARDING, RESPONDING, DONE = range(6)

_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"))  # RFC 9110 9.2.2
_CLOSES = frozenset(
    (400, 408, 413, 414, 417, 431, 501, 505)
)  # statuses after which nobody knows where the next request begins
# What an instance does that works no longer, and for which it is passed over for a while (F1).
_BLAMED = frozenset(
    (
        "http_protocol_error",
        "http_response_header_section_size",
        "http_response_incomplete",
        "http_response_timeout",
        "instance_speaks_tls",
    )
)
_ATTEMPTS = 3  # times that a request which may have been acted on is sent
_PROVEN = 65536  # bytes that a client has to take before much is read for it at once


class Exchange(Handler):
    """One request on its way. `phase` is where it stands; `head_out` that the client has seen the head of a
    response; `expecting` that the client waits for a 100 before it sends its body.
    """

    __slots__ = (
        "answer",
        "attempts",
        "cause",
        "client",
        "continued",
        "crowded",
        "detail",
        "engine",
        "expecting",
        "flush_due",
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

    def __init__(self, engine: Engine, client: Downstream, info: ClientInfo, head: RequestHead | None) -> None:
        self.engine = engine
        self.client = client
        self.info = info
        self.head: RequestHead = head  # type: ignore[assignment]  # None only for what could not be read
        self.snapshot = self.engine.snapshot  # by what has a type: an argument of __init__ has none when compiled
        self.started = self.engine.poller.now
        # Each of these is there from the phase on that needs it, and None before (and `upstream` and `instance` again
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
        self.last_instance = b""
        self.cause: str | None = None
        self.detail = ""
        self.phase = DECIDING
        self.interims: Interims | None = None
        self.status = self.attempts = 0
        self.received = self.sent = 0
        self.head_out = self.idempotent = self.upgrading = self.keep_alive = self.crowded = False
        self.expecting = self.continued = self.flush_due = False
        self.engine.open_exchanges += 1

    # Deciding

    def start(self) -> None:
        """Decide about a request that has been read, and send it on its way."""
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
        self._frame()
        self._enter(route.environment)
        self.forward()

    def _frame(self) -> None:
        """What kind of request it is: whether it may be repeated, how its body ends, whether it asks for an upgrade."""
        head = self.head
        self.idempotent = head.method == b"GET" or head.method in _IDEMPOTENT
        if head.chunked or head.body_length > 0:
            self.request = RequestBody(head, self.route.body_cap, self.snapshot.limits)
            self.client.read_much(True)
            self.expecting = head.expect
        if head.upgrade is not None and b"h2c" not in head.upgrade.lower():
            self.upgrading = True  # by any method, and behind a body if there is one (RFC 9110 7.8)

    def _enter(self, environment: Environment) -> None:
        """Tell the environment of it, and take from it what the balancer goes by."""
        if environment.budget is not None:
            environment.budget.request(self.engine.poller.now)
        if environment.key is not None:
            self.key = environment.key(self.head, origin(self.info, self.head, self.route, self.snapshot))

    def identity(self) -> bytes:
        """The request's identifier: what came in X-Request-Id, or one of ours."""
        if self.request_id is None:
            if self.head is not None and self.head.request_id is not None:
                self.request_id = self.head.request_id
            else:
                self.request_id = self.engine.new_id()
        return self.request_id

    # Forwarding

    def forward(self) -> None:
        """Give the request to the next instance; called again when one could not take it."""
        engine = self.engine
        environment = self.route.environment
        if environment.waiting and self.phase == DECIDING:  # others were here before
            self._wait()
            engine.rouse(environment)
            return
        while True:
            instance = environment.pick(self.tried, self.key, engine.poller.now)
            if instance is None:
                if self.crowded or environment.is_full(self.tried):
                    self._wait()
                else:
                    self.fail(self.last_error if self.last_error is not None else ProxyError(environment.shortage()))
                return
            upstream = take_idle(instance, not self.idempotent or self.attempts > 0, engine.poller.now)
            if upstream is not None:
                engine.reused += 1
                self._take(instance, upstream)
                self._send_request()
                return
            if self._reach(instance):
                return

    def _reach(self, instance: Instance) -> bool:
        """Connect to this instance; False where the next one has to be tried at once."""
        engine = self.engine
        if not may_connect(instance):  # connections that are only being closed fill its limit
            self._pass_over(instance)
            self.crowded = True
            return False
        upstream = Upstream(engine, instance)
        engine.connects += 1
        error = upstream.reach()
        if error == errno.EAGAIN:  # the queue of its Unix socket is full: it is busy, which is no failure
            self._pass_over(instance)
            self.crowded = True
            return False
        self._take(instance, upstream)
        self.phase = CONNECTING
        if error == 0:
            self._send_request()
            return True
        if error == errno.EINPROGRESS:
            engine.deadlines.watch(upstream, engine.poller.now + self.snapshot.connect)
            return True
        upstream.tell(None)
        if error not in OURS:
            self._not_connected(upstream, error)
            return False
        self._leave_instance(False)  # that we lack something says nothing about the instance
        self.last_instance = b""
        if engine.free_descriptors(error):
            return False
        self.fail(ProxyError("out_of_descriptors"))
        return True

    def _take(self, instance: Instance, upstream: Upstream) -> None:
        """Let this instance serve it, over this connection."""
        if self.phase == WAITING:
            self._stop_waiting()
            self.client.arm()  # the time to wait is over
        self.instance = instance
        instance.inflight += 1
        self.upstream = upstream
        upstream.tell(self)

    def _pass_over(self, instance: Instance) -> None:
        """Do not take it for this request again."""
        if self.tried is None:
            self.tried = []
        self.tried.append(instance)

    def _wait(self) -> None:
        """Every instance that could serve has enough to do: queue up, if there is room (L5), or stay in the queue."""
        if self.crowded:
            self.crowded = False
            self.tried = None  # who was busy may have time when its turn comes
        if self.phase == WAITING:
            return
        engine = self.engine
        if engine.waiting >= self.snapshot.max_waiting:
            self.fail(ProxyError("connection_limit_reached", "too many requests wait for an instance (limits.waiting)"))
            return
        self.phase = WAITING
        engine.queue(self.route.environment, self)
        self.client.arm()

    def _stop_waiting(self) -> None:
        self.phase = DECIDING
        self.engine.waiting -= 1
        self.route.environment.waiting.remove(self)

    def _send_request(self) -> None:
        """The head, and what has come of the body, in one write."""
        head = self.head
        upstream = self.upstream
        self.phase = FORWARDING
        self.attempts += 1
        cookie = self.route.environment.cookie
        kept = apps_conditions(head) if head.tagged else head.kept
        if cookie is not None:
            kept = cookie.taken_from(kept)
        fields = self.info.forwarded(self.route, head)
        if self.route.client_auth is not None:
            fields += self.info.client_certificate
        protocol = head.upgrade if self.upgrading else None
        identity = self.identity() if head.request_id is None else None
        upstream.request(head, kept, fields, identity, protocol, self.route.environment.keep_alive)
        if self.request is None:
            self.engine.deadlines.watch(upstream, self.engine.poller.now + self.snapshot.response)
            return
        try:
            self._send_body()
        except ProxyError as error:
            self.fail(error)

    def _send_body(self) -> None:
        """What has come of the request's body, behind its head. Raises ProxyError."""
        client = self.client
        upstream = self.upstream
        request = self.request
        request.send(client, upstream, self.idempotent)
        if client.leaving and not request.done:
            client.abort()  # the rest will not come
            return
        if upstream.full:
            upstream.takes()
            client.pause()
        else:
            client.read_on()  # it may have been stopped while there was nobody to take its bytes
        client.arm()
        if request.received:
            self.expecting = False
        self.engine.deadlines.watch(upstream, self.engine.poller.now + self._time_to_answer())

    def _time_to_answer(self) -> float:
        """Seconds that the instance has before something else happens."""
        return min(self.snapshot.response, CONTINUE_AFTER) if self.expecting else self.snapshot.response

    def request_data(self) -> None:
        """The client has sent more: of the body, or already of its next request."""
        if self.phase in (FORWARDING, RESPONDING) and self.request is not None and not self.request.done:
            self.expecting = False  # it does not wait any more
            try:
                self._send_body()
            except ProxyError as error:
                self.fail(error)

    def is_waiting(self) -> bool:
        """Whether it stands in the queue for an instance."""
        return self.phase == WAITING

    def is_choosy(self) -> bool:
        """Whether an instance that would do for others may not do for it."""
        return self.tried is not None or self.route.environment.cookie is not None

    def awaits_client(self) -> bool:
        """Whether the next thing to happen is up to the client: the rest of its body."""
        return (
            self.request is not None
            and not self.request.done
            and not self.client.paused
            and self.phase in (FORWARDING, RESPONDING)
        )

    def unread(self) -> bool:
        """Whether bytes of the request may still be on their way."""
        if self.head is None or self.status == 101:
            return True
        if self.request is not None:
            return not self.request.done
        return self.head.chunked or self.head.body_length > 0

    def upstream_connected(self) -> None:
        self._send_request()

    def upstream_refused(self, error: int) -> None:
        """The connection could not be made: nothing was sent, so another instance may have the request (F2)."""
        self._not_connected(self.upstream, error)
        self.forward()

    def upstream_drained(self) -> None:
        """The instance has taken what was queued for it."""
        upstream = self.upstream
        if upstream.full:
            upstream.takes()
        client = self.client
        if client.paused and not upstream.full:
            client.resume()
            client.arm()  # it is the client's turn again
        if self.phase == FORWARDING:
            self.engine.deadlines.watch(upstream, self.engine.poller.now + self.snapshot.response)

    # The response

    def response_data(self) -> None:
        """The instance has sent something."""
        try:
            if self.phase == RESPONDING:
                self._relay()
            elif self.phase == FORWARDING:
                while self.response is None:
                    response = self.upstream.scan_response(self.snapshot.limits)
                    if response is None:
                        return
                    self.response = response
                    if response.status >= 200:
                        self._respond()
                    elif response.status == 101:
                        self._start_tunnel()
                    else:
                        self._interim()
        except ProxyError as error:
            self.fail(self._fault_of(error))

    def _fault_of(self, error: ProxyError) -> ProxyError:
        """What was wrong with what the instance sent (E3)."""
        upstream = self.upstream
        unheard = self.phase == FORWARDING and upstream is not None and self.response is None
        if unheard and looks_like_tls(bytes(upstream.view(min(upstream.have, 3)))):
            return ProxyError("instance_speaks_tls")
        return as_instance_fault(error)

    def _interim(self) -> None:
        """A 1xx response: passed on to clients that know of such, 100 only to those who asked."""
        response = self.response
        client = self.client
        upstream = self.upstream
        now = self.engine.poller.now
        self.response = None  # type: ignore[assignment]  # the final one is still to come
        if self.interims is None:
            self.interims = Interims()
        self.interims.count(now)
        passes = client.can_stream
        if response.status == 100:
            passes = self.head.expect and not self.continued
            self.expecting = False
            client.arm()  # it may be its turn
        if passes:
            client.interim(without_fields(response.kept, CONTENT_LENGTH))
        if client.full:
            upstream.pause()
            client.arm()
        if not self.expecting:
            self.engine.deadlines.watch(upstream, now + self.snapshot.response)

    def _say_continue(self) -> None:
        """The instance leaves a client waiting that expects a 100: it may know nothing of that (F4)."""
        self.expecting = False
        self.continued = True
        self.client.interim(CONTINUE)
        self.client.arm()
        self.engine.deadlines.watch(self.upstream, self.engine.poller.now + self.snapshot.response)

    def _respond(self) -> None:
        """A final head is there: decide how its body goes on, and send both."""
        head = self.head
        response = self.response
        status = response.status
        self._judge(status)
        if 300 < status < 309:
            self._look_at_redirect()
        self.expecting = False
        if response.keep_alive_for >= 0:
            self.instance.keep_alive = response.keep_alive_for * 0.5
        answer = ResponseBody(head, response, self.snapshot.limits)
        self.answer = answer
        # After a refused upgrade the client may already have sent bytes of the other protocol (RFC 9931).
        self.keep_alive = (
            head.keep_alive
            and not self.engine.draining
            and (self.request is None or self.request.done)
            and not self.upgrading
            and not answer.ends_by_close(self.client)
        )
        self.status = status
        self.phase = RESPONDING
        lines = answer.start(self.upstream, self.route.compression, self.client.can_stream)
        if self.route.environment.cookie is not None:
            lines = self.route.environment.cookie.put(lines, self.instance, self.key, self.info.secure)
        if status == 426 and response.upgrade is not None:
            lines = self.client.offered(lines, response.upgrade)
        date = b"" if response.dated else self.engine.date_line
        if answer.lacks_length:
            answer.hold(lines, date, self.keep_alive)
        else:
            self.client.head(lines, date, self.keep_alive, answer.streamed)
        self._relay()

    def _look_at_redirect(self) -> None:
        """A client that is sent to where it came from goes in a circle: somebody has to be told (E3)."""
        environment = self.route.environment
        key = environment.app, environment.name
        engine = self.engine
        engine.redirect_loops.look(key, self.info.scheme, self.head, self.response, engine.poller.now)

    def _judge(self, status: int) -> None:
        """What the instance's answer says about the instance (F1)."""
        environment = self.route.environment
        now = self.engine.poller.now
        if environment.passive.unhealthy is None:
            self.instance.worked(now)
        else:
            # Its time runs from the last of the request that went to it, as its deadline does.
            waited = now - (self.upstream.deadline - self._time_to_answer())
            environment.answered(self.instance, status, waited, now)

    def _relay(self) -> None:
        """Send on what has come of the response. Raises ProxyError."""
        client = self.client
        upstream = self.upstream
        self.answer.relay(upstream, client)
        self.head_out = not self.answer.waiting
        if self.answer.done:
            self._complete(True)
            return
        if self.answer.lagging and not self.flush_due:
            self.flush_due = True
            self.engine.flushes.expect(self)
        if client.full:
            upstream.read_much(False)
            upstream.pause()
            client.arm()
        elif self.answer.sent > _PROVEN:
            upstream.read_much(True)
        self.engine.deadlines.watch(upstream, self.engine.poller.now + self.snapshot.read)

    def flush(self) -> None:
        """What the answer keeps back has waited long enough (C3)."""
        self.flush_due = False
        if self.phase == RESPONDING and self.answer.lagging:
            self.answer.flush(self.upstream, self.client)
            self.head_out = True

    def _complete(self, whole: bool) -> None:
        """The response has been read to its end; `whole` says that the connection may still be good."""
        self._leave_instance(
            whole
            and self.response.keep_alive
            and self.answer.kind != CLOSE
            and (self.request is None or self.request.done)
            and self.upstream.have == 0
            and self.upstream.backlog() == 0  # of the request: an instance that answers early may never read it
        )
        self.finish(self.keep_alive)

    def upstream_ended(self) -> None:
        """The instance has closed its side."""
        if self.phase != RESPONDING:
            self._broken("http_response_incomplete" if self.upstream.have else "connection_terminated")
        elif self.answer.kind == CLOSE:
            self.answer.end(self.client)
            self._complete(False)
        else:
            self.fail(ProxyError("http_response_incomplete"))

    def upstream_lost(self) -> None:
        """The connection to the instance broke."""
        if self.phase == RESPONDING:
            self.fail(ProxyError("http_response_incomplete"))
        else:
            self._broken("connection_terminated")

    def upstream_late(self) -> None:
        """The instance's time is over (L3): the reply says which of its times it was."""
        upstream = self.upstream
        if self.phase == CONNECTING:
            upstream.tell(None)
            upstream.abort()
            self._instance_failed("connection_timeout")
            self.forward()
        elif self.expecting:
            self._say_continue()
        elif upstream.backlog() and upstream.takes():
            self.engine.deadlines.watch(upstream, self.engine.poller.now + self.snapshot.read)
        elif self.phase == FORWARDING:
            if upstream.backlog():
                self.fail(ProxyError("connection_write_timeout"))
            elif not self.awaits_client() and not upstream.paused:
                self.fail(ProxyError("http_response_timeout"))
        elif self.phase == RESPONDING and not upstream.paused:
            self.fail(ProxyError("connection_read_timeout"))

    # Tunnels

    def _start_tunnel(self) -> None:
        """The instance has agreed to speak another protocol: from here on bytes go both ways unread."""
        response = self.response
        if not self.upgrading or not is_among(response.upgrade, self.head.upgrade):
            raise ProxyError("http_upgrade_failed")
        if self.request is not None and not self.request.done:
            raise ProxyError("http_upgrade_failed", "the request was not complete yet")
        self._judge(101)
        self.status = 101
        self.head_out = True
        kept = without_fields(response.kept, CONTENT_LENGTH)
        if self.route.environment.cookie is not None:
            kept = self.route.environment.cookie.put(kept, self.instance, self.key, self.info.secure)
        Tunnel(self, kept, response.upgrade or b"").start()

    def end_tunnel(self) -> None:
        """Both sides are done with what it became."""
        self._leave_instance(False)
        self.finish(False)

    # The client

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
        if self.phase == WAITING:
            self.fail(ProxyError("destination_unavailable", "every instance was busy for too long"))
        elif self.awaits_client():
            self.fail(ProxyError("request_timeout"))

    def client_severed(self) -> None:
        self.client.abort()  # nobody is left to whom the answer could go

    def client_drained(self) -> None:
        """The client has taken what was queued for it."""
        upstream = self.upstream
        if upstream is not None and upstream.paused and not self.client.full:
            upstream.read_much(True)
            upstream.resume()
            patience = self.snapshot.read if self.phase == RESPONDING else self.snapshot.response
            self.engine.deadlines.watch(upstream, self.engine.poller.now + patience)

    def client_gone(self) -> None:
        """The client's connection is no more: what the instance does for it is in vain (F3)."""
        if self.phase == DONE:
            return
        if self.cause is None and self.client.failure == errno.ETIMEDOUT:
            self.cause = "client_stopped_reading"  # or it is out of reach: the system has given it up
        elif self.cause is None and not self._is_event_stream():
            self.cause = "client_closed_request"
        if not self.head_out:
            self.status = 499
        self._leave_instance(False)
        self.finish(False)

    def _is_event_stream(self) -> bool:
        """Whether the client is getting one: it has no other end than that the client leaves, which is no error."""
        return self.phase == RESPONDING and self.response.content_type().lower().startswith(b"text/event-stream")

    def client_stopped(self) -> None:
        """The client has not taken anything for too long: end it, and say in the log who ended it (L4)."""
        self.cause = "client_stopped_reading"
        self.client.abort()

    # Failures and the end

    def _not_connected(self, upstream: Upstream, error: int) -> None:
        """Connecting failed with this errno."""
        upstream.tell(None)
        cause = upstream.why(error)
        self._instance_failed(cause, connecting_detail(cause, error))

    def _instance_failed(self, cause: str, detail: str = "") -> None:
        """The instance could not be reached: remember it, for this request and, unless it is our own fault (E3), for
        the next ones.
        """
        instance = self.instance
        if not CAUSES[cause].ours:
            self.route.environment.failed(instance, self.engine.poller.now, cause)
        self.last_error = ProxyError(cause, detail)
        self._pass_over(instance)
        self._leave_instance(False)

    def _broken(self, cause: str) -> None:
        """The connection ended before a response began: send the request again where that cannot do harm (F2)."""
        reused = self.upstream is not None and self.upstream.reused
        if not reused:
            self._instance_failed(cause)
        if not self._may_repeat(reused):
            self.fail(ProxyError(cause))
            return
        self._leave_instance(False)
        self.last_error = ProxyError(cause)
        self.engine.retries += 1
        self.forward()

    def _may_repeat(self, reused: bool) -> bool:
        """Whether it may be sent again; that an idle connection was at its end is nobody's failure, and free."""
        if not (
            self.idempotent
            and self.attempts < _ATTEMPTS
            and not self.upgrading
            and (self.request is None or self.request.repeatable())
            and not self.client.leaving
        ):
            return False
        environment = self.route.environment
        if not environment.has_untried(self.tried):
            return False
        budget = environment.budget
        if reused or budget is None or budget.allows(self.engine.poller.now):
            return True
        self.engine.unrepeated += 1
        return False

    def _leave_instance(self, keep: bool) -> None:
        """Give the connection back, or away, and let the next in the queue have the instance."""
        upstream = self.upstream
        if upstream is not None:
            self.upstream = None  # type: ignore[assignment]
            upstream.release(keep)
        instance = self.instance
        if instance is not None:
            self.instance = None  # type: ignore[assignment]
            self.last_instance = instance.label
            instance.inflight -= 1
            if self.route.environment.waiting:
                self.engine.rouse(self.route.environment)

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
        detail = explained(error, self.snapshot.limits, self.route.body_cap if self.route is not None else 0)
        self.reply(error_reply(error.cause, accept, self.identity(), detail, error.retry_after))

    def cut(self) -> None:
        """End it because the service ends: with a reply if none has begun, else where the client can see that the rest
        is missing: in a chunked response the last chunk, in one of known length some bytes.
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

    def describe(self) -> tuple[str, bytes, bytes]:
        route = self.route
        if route is None:
            return REQUEST, b"", b""
        if self.request is not None and not self.request.done:
            kind = UPLOAD
        elif self.response is None:
            kind = REQUEST
        elif self.response.content_type().partition(b";")[0].strip().lower() == b"text/event-stream":
            kind = EVENT_STREAM
        else:
            kind = DOWNLOAD
        return kind, route.environment.app, route.environment.name

    def reply(self, reply: Reply) -> None:
        """ResponseBody with a reply of our own."""
        head = self.head
        self._leave_instance(False)
        keep_alive = head is not None and head.keep_alive and not self.unread() and not self.engine.draining
        # Behind an upgrade that comes to nothing there may be bytes of the other protocol (RFC 9931).
        if reply.status in _CLOSES or (head is not None and head.upgrade is not None):
            keep_alive = False
        if head is not None:
            head_only = head.method == b"HEAD"
        else:
            head_only = self.refused is not None and self.refused.method == b"HEAD"
        self.answer = None  # type: ignore[assignment]  # the instance's was waiting for the rest of its body
        self.status = reply.status
        self.head_out = True
        body = b"" if head_only else reply.body
        self.sent = len(body)
        lines = render_lines(reply, self.engine.date_line[6:-2], self.identity())
        self.client.head(lines, b"", keep_alive, False)
        self.client.piece(body, b"")
        self.finish(keep_alive)

    def finish(self, keep_alive: bool) -> None:
        """The one way out: tell what happened, and let the client's connection go on."""
        if self.phase == DONE:
            return
        if self.phase == WAITING:
            self._stop_waiting()
        self.phase = DONE
        self.engine.open_exchanges -= 1
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
        route = self.route
        if route is not None:
            record.app = route.environment.app
            record.environment = route.environment.name
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
