"""A request's body that is collected before an instance is chosen, so that a slow client holds none of them (F6).

An instance then gets all of it at once, with a length: app servers that read no chunked body see it, and a server that
serves one request at a time waits for nobody. What would suffer goes on as it comes: calls of gRPC, upgrades, large
bodies of known length, and a chunked body whose sender pauses, since it may wait for an answer to what it has sent.

Trailers of a collected body are dropped with the field that announces them, since a body with a length has none; those
of a body that goes on in chunks stay. It knows the client and the body; where the bytes are kept, `buffering` knows.
"""

from __future__ import annotations

import errno
import os

from lb.errors import ProxyError
from lb.http.head import is_grpc, with_length, without_expectation
from lb.proxy.buffering.body_buffer import KEPT, BodyBuffer
from lb.proxy.exchange.attempt import Attempt
from lb.proxy.exchange.interim import CONTINUE
from lb.proxy.exchange.states import COLLECTING, DECIDING
from lb.routing.route import BUFFERING_AUTO, BUFFERING_OFF

_LARGEST = 1 << 20  # bytes of a body of known length that is collected unless the configuration says more
_PAUSE = 1.0  # seconds without a byte after which a chunked body goes on as it comes
_LACKS_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)


class Collecting(Attempt):
    """The part of an exchange that waits for a request's body, where it does."""

    __slots__ = ()

    def _is_collected(self) -> bool:
        """Whether the body is to be collected; what has arrived as a whole need not be."""
        mode = self.route.buffering
        head = self.head
        if mode == BUFFERING_OFF or not (head.chunked or self.client.have < head.body_length):
            return False
        if mode == BUFFERING_AUTO and (head.body_length > _LARGEST or head.upgrade is not None or is_grpc(head)):
            return False
        environment = self.route.environment
        # Where nothing can serve, that is said before a body is sent in vain.
        return environment.deployment is not None or environment.retry_for > 0.0 or environment.has_untried(None)

    def _collect(self) -> None:
        """Begin to collect it. Raises ProxyError: buffer_limit_reached."""
        limit = self.snapshot.max_buffered
        buffers = self.engine.buffers
        length = self.head.body_length
        if length > KEPT and not buffers.has_room(length, limit):
            raise ProxyError("buffer_limit_reached", f"the limit is {limit} bytes (limits.buffered)")
        buffers.total += 1
        self.request.buffer = BodyBuffer(buffers, limit, self.client, self.collected_was_written)
        self.phase = COLLECTING
        if self.expecting:
            self.expecting = False
            self.continued = True
            if not self.client.have:
                self.client.interim(CONTINUE)
        self._collect_more()

    def _collect_more(self) -> None:
        """Take what has arrived."""
        request = self.request
        client = self.client
        try:
            takes_more = request.collect(client)
        except ProxyError as error:
            self.fail(error)
            return
        if request.done:
            self._collected()
        elif client.leaving:
            client.abort()  # the rest will not come
        else:
            if takes_more:
                client.read_on()  # it may have been paused before its body was wanted, such as behind a guard
            else:
                client.pause()
            client.arm()

    def collected_was_written(self, error: int) -> None:
        """The disk has taken a part of it, or refused it with this errno."""
        if self.phase != COLLECTING:
            return
        request = self.request
        if error:
            self._not_stored(error)
            return
        try:
            request.buffer.go_on()  # type: ignore[union-attr]  # it is being collected
        except ProxyError as problem:
            self.fail(problem)
            return
        if request.done:
            self._collected()
        else:
            self.client.read_on()
            self.client.arm()

    def _not_stored(self, error: int) -> None:
        self.engine.buffers.say(error, self.engine.poller.now)
        if error in _LACKS_DESCRIPTORS:
            self.engine.free_descriptors(error)
            self.fail(ProxyError("out_of_descriptors"))
        else:
            self.fail(ProxyError("insufficient_storage", os.strerror(error).lower()))

    def _collected(self) -> None:
        """All of it is here: choose an instance, unless some of it is still on its way to the disk."""
        head = self.head
        request = self.request
        if request.buffer.is_writing:  # type: ignore[union-attr]
            self.client.arm()
            return
        if head.chunked or head.expect:
            self.head = with_length(head, request.received)
        self._choose_instance()

    def _stream(self) -> None:
        """The client pauses: send what has come of the body, and the rest as it comes."""
        if self.head.expect:
            self.head = without_expectation(self.head)
        self._choose_instance()

    def _choose_instance(self) -> None:
        self.phase = DECIDING
        self.client.arm()  # the deadline for the body is over
        self.forward()

    def _may_stream(self) -> bool:
        """Whether a pause of the client means that the body goes on as it comes."""
        return self.head.chunked and self.route.buffering == BUFFERING_AUTO and self.route.read > _PAUSE

    def _late(self) -> None:
        """The client, or the disk, has taken its time."""
        if self.request.buffer.is_writing:  # type: ignore[union-attr]
            self.fail(ProxyError("insufficient_storage", "the disk did not take it in time"))
        elif self._may_stream():
            self._stream()
        else:
            self.fail(ProxyError("request_timeout"))

    def request_data(self) -> None:
        if self.phase != COLLECTING:
            Attempt.request_data(self)
        elif not self.request.done:
            self._collect_more()

    def awaits_client(self) -> bool:
        return self.phase == COLLECTING or Attempt.awaits_client(self)

    def client_timeout(self) -> float:
        if self.phase == COLLECTING and self._may_stream() and not self.request.buffer.is_writing:  # type: ignore[union-attr]
            return _PAUSE
        return Attempt.client_timeout(self)
