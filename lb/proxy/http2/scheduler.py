"""Whose frame is next: the order of the streams of one connection that have something to send (RFC 9218).

The most urgent come first. Among streams of one urgency those that take turns do so, one frame each; one that does not
(its client said so) is sent as a whole, in the order of the requests. So that nothing waits forever, every eighth frame
goes to the stream that would be next. A stream whose client says nothing takes turns: a small response then waits for
one frame of each large one, and not for all of them. This file knows no windows, and does not see what is sent.
"""

from __future__ import annotations

from lb.proxy.http2.flow import Flow

_ASIDE = 8  # of so many frames, one goes to the stream that would be next


class Scheduler:
    """The streams of one connection that wait for their turn: `count` of them, at most as many as may be open."""

    __slots__ = ("_frames", "_order", "count")

    def __init__(self) -> None:
        self._order: list[Flow] = []  # the next one first
        self._frames = 0
        self.count = 0

    def add(self, flow: Flow) -> None:
        """A stream has something to send; it must not be here yet."""
        at = 0
        for other in self._order:
            if other.urgency > flow.urgency:
                break
            if (
                other.urgency == flow.urgency
                and not flow.takes_turns
                and (other.takes_turns or other.number > flow.number)
            ):
                break
            at += 1
        self._order.insert(at, flow)
        flow.queued = True
        self.count += 1

    def remove(self, flow: Flow) -> None:
        """It has nothing to send, or may not; it must be here."""
        self._order.remove(flow)
        flow.queued = False
        self.count -= 1

    def turn(self) -> Flow:
        """The stream that the next frame belongs to; there must be one."""
        self._frames += 1
        if self.count > 1 and self._frames % _ASIDE == 0:
            return self._order[1]
        return self._order[0]

    def went(self, flow: Flow) -> None:
        """A frame of this stream was written, and it has more: if it takes turns, its next one comes after theirs."""
        if flow.takes_turns and self.count > 1:
            self._order.remove(flow)
            self.count -= 1
            self.add(flow)
