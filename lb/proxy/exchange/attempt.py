"""One attempt at an instance, and the next where it fails: choosing, connecting, sending, sending again.

It knows the environment that a request goes to, the pool and the queue. It does not know what a response says: whether
an attempt succeeded is for `response` to find, and why there is one at all for `exchange`.
"""

from __future__ import annotations

import errno
import time

from lb.errors import CAUSES, ProxyError
from lb.http.etags import apps_conditions
from lb.http.proxy_protocol import proxy_header
from lb.proxy.descriptors import OURS
from lb.proxy.exchange.base import ExchangeBase
from lb.proxy.exchange.by_route import request_lines
from lb.proxy.exchange.interim import CONTINUE_AFTER
from lb.proxy.exchange.states import CHECKING, CONNECTING, DECIDING, FORWARDING, RESPONDING, WAITING
from lb.proxy.upstream.connection import Upstream
from lb.proxy.upstream.pool import may_connect, take_idle
from lb.routing.deployment import DeployedEnvironment
from lb.routing.instance import Instance

_ATTEMPTS = 3  # how often a request that may have been acted on is sent


class Attempt(ExchangeBase):
    """The part of an exchange that gets its request to an instance."""

    __slots__ = ()

    def forward(self) -> None:
        """Give the request to the next instance; called again if one could not take it."""
        engine = self.engine
        environment = self.route.environment
        if environment.waiting and self.phase == DECIDING:  # others came first
            self._wait()
            engine.queue.rouse(environment)
            return
        while True:
            instance = environment.pick(self.tried, self.key, engine.poller.now)
            if instance is None:
                if self.all_busy or environment.is_full(self.tried):
                    self._wait()
                elif environment.deployment is not None:
                    self._await_start(environment.deployment)
                else:
                    self.fail(self.last_error if self.last_error is not None else ProxyError(environment.shortage()))
                return
            upstream = take_idle(instance, not self.idempotent or self.attempts > 0, engine.poller.now)
            if upstream is not None:
                engine.reusing()
                self._take(instance, upstream)
                self._send_request()
                return
            if self._reach(instance):
                return

    def _reach(self, instance: Instance) -> bool:
        """Connect to this instance; False if the next one has to be tried at once."""
        engine = self.engine
        if not may_connect(instance):  # connections that are only being closed fill its limit
            self._pass_over(instance)
            self.all_busy = True
            return False
        upstream = self._connection(instance)
        error = upstream.reach()
        if error == errno.EAGAIN:  # the queue of its Unix socket is full: it is busy, not failed
            self._pass_over(instance)
            self.all_busy = True
            return False
        self._take(instance, upstream)
        self.phase = CONNECTING
        if error == 0:
            self._send_request()
            return True
        if error == errno.EINPROGRESS:
            engine.deadlines.watch(upstream, engine.poller.now + self.route.connect)
            return True
        upstream.tell(None)
        if error not in OURS:
            if self._reach_alternate(error):
                return True
            self._not_connected(self.upstream, error)
            return False
        self._leave_instance(False)  # a lack of resources here says nothing about the instance
        self.last_instance = b""
        if engine.free_descriptors(error):
            return False
        self.fail(ProxyError("out_of_descriptors"))
        return True

    def _connection(self, instance: Instance) -> Upstream:
        """A new connection, yet to be made."""
        engine = self.engine
        upstream = Upstream(engine, instance) if engine.connector is None else engine.connector(engine, instance)
        engine.connecting()
        version = self.route.environment.policy.send_proxy
        if version:
            upstream.greeting = proxy_header(version, self.info.ends(self.route, self.head))
        return upstream

    def _reach_alternate(self, error: int) -> bool:
        """The connection could not be made, for this errno: try the instance's other address, if it has one that was
        not tried. False if there is none, or it cannot be reached either.
        """
        failed = self.upstream
        instance = self.instance
        if instance.alternate is None or failed.first_error or failed.securing:
            return False
        failed.tell(None)
        upstream = self.upstream = self._connection(instance)
        upstream.first_error = error
        upstream.tell(self)
        error = upstream.reach()
        if error == errno.EINPROGRESS:
            self.engine.deadlines.watch(upstream, self.engine.poller.now + self.route.connect)
        elif error == 0:
            self._send_request()
        return error in (0, errno.EINPROGRESS)

    def _take(self, instance: Instance, upstream: Upstream) -> None:
        """Have this instance serve it, over this connection."""
        if self.phase == WAITING:
            self._stop_waiting()
            self.client.arm()  # the deadline for waiting is over
        self.instance = instance
        instance.entered()
        if self.route.environment.quiet:
            self.route.environment.deployment.serves(self.head.target)  # type: ignore[union-attr]
        self.upstream = upstream
        upstream.tell(self)

    def _pass_over(self, instance: Instance) -> None:
        """Do not try it for this request again."""
        if self.tried is None:
            self.tried = []
        self.tried.append(instance)

    def _wait(self) -> None:
        """Every instance that could serve is busy: join the queue, if there is room (L5), or stay in it."""
        if self.all_busy:
            self.all_busy = False
            self.tried = None  # an instance that was busy may be free when the turn comes
        if self.phase == WAITING:
            return
        engine = self.engine
        if engine.queue.count >= self.snapshot.max_waiting:
            self.fail(ProxyError("connection_limit_reached", "too many requests wait for an instance (limits.waiting)"))
            return
        self.phase = WAITING
        engine.queue.join(self.route.environment, self)
        self.client.arm()

    def _await_start(self, deployment: DeployedEnvironment) -> None:
        """No instance of a deployed app may serve: one is about to, or there is a reason why not."""
        error = deployment.refusal(self.head.target, time.time())
        if error is None:
            self.tried = None  # whoever serves next is another one
            self._wait()
        else:
            self.fail(self.last_error if self.last_error is not None else error)

    def _send_request(self) -> None:
        """Send the head, and what has arrived of the body, in one write."""
        head = self.head
        upstream = self.upstream
        self.phase = FORWARDING
        self.attempts += 1
        cookie = self.route.environment.cookie
        kept = apps_conditions(head) if head.tagged else head.kept
        if cookie is not None:
            kept = cookie.taken_from(kept)
        if self.route.extras is not None:
            kept = request_lines(kept, self.asking())
        fields = self.info.forwarded(self.route, head)
        if self.route.client_auth is not None:
            fields += self.info.client_certificate
        protocol = head.upgrade if self.upgrading else None
        identity = self.identity() if head.request_id is None else None
        upstream.request(head, kept, fields, identity, protocol, self.route.environment.keep_alive)
        if self.request is None:
            self.engine.deadlines.watch(upstream, self.engine.poller.now + self.route.response)
            return
        try:
            self._send_body()
        except ProxyError as error:
            self.fail(error)

    def _send_body(self) -> None:
        """Send what has arrived of the request's body, after its head. Raises ProxyError."""
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
            client.read_on()  # it may have been paused while nothing took its bytes
        client.arm()
        if request.received:
            self.expecting = False
        self.engine.deadlines.watch(upstream, self.engine.poller.now + self._time_to_answer())

    def request_data(self) -> None:
        """The client has sent more: of the body, or of its next request."""
        if self.phase in (FORWARDING, RESPONDING) and self.request is not None and not self.request.done:
            self.expecting = False  # it no longer waits
            try:
                self._send_body()
            except ProxyError as error:
                self.fail(error)

    def _time_to_answer(self) -> float:
        """Seconds that the instance has before the next timeout."""
        return min(self.route.response, CONTINUE_AFTER) if self.expecting else self.route.response

    def is_waiting(self) -> bool:
        """Whether it stands in the queue for an instance, or before a guard."""
        return self.phase == WAITING or self.phase == CHECKING  # noqa: PLR1714  no tuple

    def is_choosy(self) -> bool:
        """Whether an instance that suits others may not suit it."""
        return self.tried is not None or self.route.environment.cookie is not None

    def awaits_client(self) -> bool:
        """Whether the client has to act next: send the rest of its body."""
        return (
            self.request is not None
            and not self.request.done
            and not self.client.paused
            and self.phase in (FORWARDING, RESPONDING)
        )

    def client_timeout(self) -> float:
        if self.phase == CHECKING:
            return self.gate.timeout()
        if self.phase != WAITING:
            return self.route.read
        deployment = self.route.environment.deployment
        return deployment.wake_timeout if deployment is not None and deployment.is_held() else self.route.connect

    def upstream_connected(self) -> None:
        self._send_request()

    def upstream_refused(self, error: int) -> None:
        """The connection could not be made: nothing was sent, so another instance may have the request (F2)."""
        if not self._reach_alternate(error):
            self._not_connected(self.upstream, error)
            self.forward()

    def upstream_drained(self) -> None:
        """The instance has taken all that was queued for it."""
        upstream = self.upstream
        if upstream.full:
            upstream.takes()
        client = self.client
        if client.paused and not upstream.full:
            client.resume()
            client.arm()  # it is the client's turn again
        if self.phase == FORWARDING:
            self.engine.deadlines.watch(upstream, self.engine.poller.now + self.route.response)

    def _not_connected(self, upstream: Upstream, error: int) -> None:
        """Connecting failed with this errno."""
        upstream.tell(None)
        cause = upstream.why(error)
        self._instance_failed(cause, upstream.detail(cause, error))

    def _instance_failed(self, cause: str, detail: str = "") -> None:
        """The instance could not be reached: note it for this request and, unless it is our own fault (E3), for later
        ones.
        """
        instance = self.instance
        if not CAUSES[cause].ours:
            self.route.environment.failed(instance, self.engine.poller.now, cause)
        self.last_error = ProxyError(cause, detail)
        self._pass_over(instance)
        self._leave_instance(False)

    def _broken(self, cause: str) -> None:
        """The connection ended before a response began: send the request again where that does no harm (F2)."""
        reused = self.upstream is not None and self.upstream.reused
        if not reused:
            self._instance_failed(cause)
        if not self._may_repeat(reused):
            self.fail(ProxyError(cause))
            return
        self._leave_instance(False)
        self.last_error = ProxyError(cause)
        self.engine.repeating()
        self.forward()

    def _may_repeat(self, reused: bool) -> bool:
        """Whether it may be sent again. An idle connection that was already closed is no failure, and is free."""
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
        self.engine.not_repeating()
        return False
