"""An instance's answer on its way to the client: interim responses, the final head, the body, a protocol switch.

It knows both sides and what belongs on which. Reading and compressing a body is the business of `response_body`,
writing it of the client's side, and a request whose instance fails before it answers of `attempt`.
"""

from __future__ import annotations

from lb.errors import ProxyError, as_instance_fault, looks_like_tls
from lb.http.body import CLOSE
from lb.http.forwarding import is_among
from lb.http.head import CONTENT_LENGTH, without_fields
from lb.proxy.exchange.attempt import Attempt
from lb.proxy.exchange.by_route import lines_with_page, page_instead, response_lines
from lb.proxy.exchange.interim import CONTINUE, Interims
from lb.proxy.exchange.response_body import ResponseBody
from lb.proxy.exchange.states import CONNECTING, FORWARDING, RESPONDING
from lb.proxy.exchange.tunnel import Tunnel

_PROVEN = 65536  # bytes that a client has to take before reads for it are large


class ResponseHandling(Attempt):
    """The part of an exchange that handles the instance's answer."""

    __slots__ = ()

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
        """The error for an invalid response from the instance (E3)."""
        upstream = self.upstream
        unheard = self.phase == FORWARDING and upstream is not None and self.response is None
        if unheard and looks_like_tls(bytes(upstream.view(min(upstream.have, 3)))):
            return ProxyError("instance_speaks_tls")
        return as_instance_fault(error)

    def _interim(self) -> None:
        """Pass on a 1xx response to clients that understand it, and 100 only to those that asked."""
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
            client.arm()  # it may be the client's turn
        if passes:
            client.interim(without_fields(response.kept, CONTENT_LENGTH))
        if client.full:
            upstream.pause()
            client.arm()
        if not self.expecting:
            self.engine.deadlines.watch(upstream, now + self.route.response)

    def _say_continue(self) -> None:
        """The instance has not answered `Expect: 100-continue`, and may not know it: say 100 in its place (F4)."""
        self.expecting = False
        self.continued = True
        self.client.interim(CONTINUE)
        self.client.arm()
        self.engine.deadlines.watch(self.upstream, self.engine.poller.now + self.route.response)

    def _respond(self) -> None:
        """A final head has arrived: decide how its body goes on, and send both."""
        head = self.head
        response = self.response
        status = response.status
        self._judge(status)
        if 300 < status < 309:
            self._look_at_redirect()
        if status >= 400 and self.route.extras is not None:
            page = page_instead(self.route.extras, head, response)
            if page is not None:
                self._answer_with(page)
                return
        self.expecting = False
        if response.keep_alive_for >= 0:
            self.instance.keeps_idle_for(response.keep_alive_for)
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
            secure = self.info.came_securely(self.route, head)
            lines = self.route.environment.cookie.put(lines, self.instance, self.key, secure)
        if self.route.extras is not None:
            lines = response_lines(lines, self.asking())
        if status == 426 and response.upgrade is not None:
            lines = self.client.offered(lines, response.upgrade)
        date = b"" if response.dated else self.engine.date_line
        if answer.lacks_length:
            answer.hold(lines, date, self.keep_alive)
        else:
            self.client.head(lines, date, self.keep_alive, answer.streamed)
        self._relay()

    def _answer_with(self, page: bytes) -> None:
        """Send this page in place of the body of the app's response; the rest of that goes with its connection."""
        head = self.head
        lines = response_lines(lines_with_page(self.response.kept, page), self.asking())
        self.status = self.response.status
        keep_alive = head.keep_alive and not self.engine.draining and not self.unread() and not self.upgrading
        date = b"" if self.response.dated else self.engine.date_line
        self._leave_instance(False)
        self.head_out = True
        body = b"" if head.method == b"HEAD" else page
        self.sent = len(body)
        self.client.head(lines, date, keep_alive, False)
        self.client.piece(body, b"")
        self.finish(keep_alive)

    def _look_at_redirect(self) -> None:
        """A client that is redirected to where it came from is in a loop, which has to be logged (E3)."""
        environment = self.route.environment
        key = environment.app, environment.name
        engine = self.engine
        scheme = self.info.scheme_of(self.route, self.head)
        engine.redirect_loops.look(key, scheme, self.head, self.response, engine.poller.now)

    def _judge(self, status: int) -> None:
        """What the response says about the instance (F1)."""
        environment = self.route.environment
        now = self.engine.poller.now
        # Its time runs from the last of the request that went to it, as its deadline does.
        waited = now - (self.upstream.deadline - self._time_to_answer())
        self.instance.answered(waited)
        if environment.passive.unhealthy is None:
            self.instance.worked(now)
        else:
            environment.answered(self.instance, status, waited, now)

    def _relay(self) -> None:
        """Send on what has arrived of the response. Raises ProxyError."""
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
        self.engine.deadlines.watch(upstream, self.engine.poller.now + self.route.read)

    def flush(self) -> None:
        """Held-back output has waited long enough (C3)."""
        self.flush_due = False
        if self.phase == RESPONDING and self.answer.lagging:
            self.answer.flush(self.upstream, self.client)
            self.head_out = True

    def _complete(self, whole: bool) -> None:
        """The response has been read to its end; `whole` says that the connection may be reusable."""
        self._leave_instance(
            whole
            and self.response.keep_alive
            and self.answer.kind != CLOSE
            and (self.request is None or self.request.done)
            and self.upstream.have == 0
            and self.upstream.backlog() == 0  # of the request: an instance that answers early may never read it
        )
        self.finish(self.keep_alive)

    def _start_tunnel(self) -> None:
        """The instance has agreed to switch protocols: from here on bytes pass both ways unread."""
        response = self.response
        if not self.upgrading or not is_among(response.upgrade, self.head.upgrade):
            raise ProxyError("http_upgrade_failed")
        if self.request is not None and not self.request.done:
            raise ProxyError("http_upgrade_failed", "the request was not complete yet")
        self._judge(101)
        self.status = 101
        self.instance.tunnelled(1)
        self.head_out = True
        kept = without_fields(response.kept, CONTENT_LENGTH)
        if self.route.environment.cookie is not None:
            secure = self.info.came_securely(self.route, self.head)
            kept = self.route.environment.cookie.put(kept, self.instance, self.key, secure)
        Tunnel(self, kept, response.upgrade or b"").start()

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
            self._broken(self.upstream.why_lost())

    def upstream_late(self) -> None:
        """The instance's time is over (L3): the reply says which timeout it was."""
        upstream = self.upstream
        if self.phase == CONNECTING:
            upstream.tell(None)
            upstream.abort()
            self._instance_failed("connection_timeout")
            self.forward()
        elif self.expecting:
            self._say_continue()
        elif upstream.backlog() and upstream.takes():
            self.engine.deadlines.watch(upstream, self.engine.poller.now + self.route.read)
        elif self.phase == FORWARDING:
            if upstream.backlog():
                self.fail(ProxyError("connection_write_timeout"))
            elif not self.awaits_client() and not upstream.paused:
                self.fail(ProxyError("http_response_timeout"))
        elif self.phase == RESPONDING and not upstream.paused:
            self.fail(ProxyError("connection_read_timeout"))
