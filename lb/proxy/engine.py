"""What all connections of one worker share: poller, clock, timers, snapshot, log and counters.

The engine only counts, times and closes connections; what they carry is the business of `http1`, `exchange` and
`upstream`.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from typing import Any

from lb.process.every import Every, every
from lb.process.remaining import Share
from lb.proxy.descriptors import OURS, Shortage, connections_within, descriptors_of_process, turned_away_within
from lb.proxy.downstream import Downstream
from lb.proxy.eviction import Evictor, close_idle
from lb.proxy.exchange.flush_timer import FlushTimer
from lb.proxy.exchange.redirect_loops import RedirectLoops
from lb.proxy.files.file_cache import FileCache
from lb.proxy.http2.figures import Http2Figures
from lb.proxy.io.deadlines import WIDTH, Deadlines
from lb.proxy.io.listener import Listener
from lb.proxy.io.poller import Poller
from lb.proxy.io.wire import Wire
from lb.proxy.listeners import Listeners
from lb.proxy.open_clients import send_away, shares_of
from lb.proxy.record_floods import RecordFloods
from lb.proxy.request_ids import RequestIds
from lb.proxy.waiting_queue import WaitingQueue
from lb.routing.clients import Clients
from lb.routing.instance import Instance
from lb.routing.members import HealthWatch
from lb.routing.snapshot import Snapshot
from lb.telemetry.access_log import AccessLog
from lb.telemetry.counters import INDEX, NAMES, CounterRow
from lb.telemetry.line_format import LineFormat
from lb.telemetry.metrics import error_cell, response_cell
from lb.telemetry.record import Record
from lb.tls.handshake.pending import PendingHandshakes

_SHED = 32  # connections closed at once for lack of descriptors
_REST = WIDTH / 2  # seconds that a listener then rests, and until the next tick
_MADE = 256  # connections closed at once to get below the limit


class Engine:
    """One worker's data path. Counters are plain numbers here and are written to the shared `row` four times a second.
    `connector` makes connections to instances; None for the usual way.
    """

    __slots__ = (
        "_append",
        "_base",
        "_bytes_in",
        "_bytes_out",
        "_clients",
        "_errors",
        "_format",
        "_log",
        "_log_time",
        "_loop",
        "_on_error",
        "_responses",
        "_row",
        "_second",
        "_shortage",
        "_ticking",
        "_time_format",
        "_watch",
        "clients",
        "connection_counts",
        "connections_total",
        "connector",
        "connects",
        "date_line",
        "deadlines",
        "draining",
        "evictor",
        "fast_drain",
        "files",
        "floods",
        "flushes",
        "guards",
        "handshakes",
        "held",
        "http2",
        "ids",
        "listeners",
        "max_connections",
        "open_connections",
        "poller",
        "queue",
        "rate_limiter",
        "redirect_loops",
        "resumed",
        "retries",
        "reused",
        "snapshot",
        "unrepeated",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        snapshot: Snapshot,
        access_log: AccessLog,
        line: LineFormat | None,
        row: CounterRow,
        clients: Clients,
    ) -> None:
        self._loop = loop
        self.snapshot = snapshot
        self._log = access_log
        self._append = access_log.append
        self._set_format(line)
        self._row = row
        self._base = row.load()
        self._base[INDEX["connections_open"]] = 0
        self._clients: set[Wire] = set()
        self.clients = clients
        self.rate_limiter, self.connection_counts = clients.rate_limiter, clients.connection_counts
        self.evictor, self.redirect_loops, self.floods = Evictor(), RedirectLoops(), RecordFloods()
        self.connector: Callable[[Engine, Instance], Any] | None = None
        self.held: PendingHandshakes | None = None  # set by the part that makes TLS contexts
        self._shortage, self.http2 = Shortage(), Http2Figures()
        self.max_connections = self.open_connections = 0
        self._errors: dict[str, int] = {}
        self._responses = [0] * 6
        self.draining = self.fast_drain = False
        self.connections_total = self.handshakes = self.resumed = self.connects = self.reused = self.retries = 0
        self._bytes_in = self._bytes_out = self.unrepeated = 0
        self.ids, self._second = RequestIds(), -1
        self.poller = Poller(loop, self.broken)
        self.listeners = Listeners(self.poller, _REST)
        self.queue, self.flushes = WaitingQueue(loop, self.broken), FlushTimer(loop, self.broken)
        self.files = FileCache()
        self.guards: Any = None  # made when a request needs it
        self.deadlines = Deadlines(self.poller.tick(), self.broken)
        self._watch: HealthWatch | None = None
        jobs = self._tick, self.queue.serve_all, self.flush, self._look_at_instances, self.listeners.end_rests
        self._ticking: Every = every(loop, WIDTH, *jobs)

    # Called by connections

    def opened(self, client: Wire) -> None:
        """A client's connection was accepted."""
        self._clients.add(client)
        self.open_connections += 1
        self.connections_total += 1
        self.evictor.came(client, self.poller.now)  # type: ignore[arg-type]

    def gone(self, client: Wire) -> None:
        """A client's connection has ended."""
        if client in self._clients:  # else it ended before it was counted
            self.turned_away(client)
            self.deadlines.forget(client)

    def turned_away(self, client: Wire) -> None:
        """A connection reported as opened was turned away for lack of room: it does not count (L5)."""
        self.open_connections -= 1
        self._clients.discard(client)
        self.evictor.spoke(client)  # type: ignore[arg-type]

    def finished(self, record: Record) -> None:
        """An exchange has ended: count it and write its line."""
        self._responses[record.status // 100 if record.status < 600 else 0] += 1
        self._bytes_in += record.received
        self._bytes_out += record.sent
        if record.cause is not None:
            self.failed(record.cause)
        if self._format is not None:
            self._append(self._format(record, self._log_time))

    def relieve_log(self) -> None:
        """Write log lines early when a client causes very many at once, instead of keeping all until the next tick."""
        self._log.flush_if_long()

    def connecting(self) -> None:
        """A connection to an instance is being made."""
        self.connects += 1

    def reusing(self) -> None:
        """A request uses a connection that has served before."""
        self.reused += 1

    def repeating(self) -> None:
        """A request is sent again."""
        self.retries += 1

    def not_repeating(self) -> None:
        """A request is not sent again, because the retry budget is used up."""
        self.unrepeated += 1

    def shook_hands(self, resumed: bool) -> None:
        """A TLS handshake is done; whether it resumed an earlier session."""
        self.handshakes += 1
        if resumed:
            self.resumed += 1

    def failed(self, cause: str) -> None:
        """Count a failure that belongs to no exchange."""
        self._errors[cause] = self._errors.get(cause, 0) + 1

    def make_room(self) -> bool:
        """Close the least valuable connections until the limit is kept; False if not enough of them can be closed."""
        for _ in range(_MADE):  # more than one if the limit was lowered
            if self.open_connections <= self.max_connections:
                return True
            if not self.evictor.make(self._clients, self.poller.now):  # type: ignore[arg-type]  # all of them are Clients
                break
        return self.open_connections <= self.max_connections

    def limit_in_words(self) -> str:
        """What limits the number of connections, in words; a lack of descriptors is also logged."""
        if self.max_connections >= self.snapshot.max_connections:
            return "limits.connections"
        self._shortage.say(errno.EMFILE, self.poller.now)
        return "limits.connections, lowered to what the process's limit of open files leaves"

    def free_descriptors(self, error: int) -> bool:
        """The system gives none, with this errno: say so, and close what is missed least; whether anything was."""
        self._shortage.say(error, self.poller.now)
        environments = self.snapshot.table.environments()
        freed = self.files.clear() + close_idle([one for place in environments for one in place.instances], _SHED)
        while freed < _SHED and self.evictor.free_descriptor(self._clients, self.poller.now):  # type: ignore[arg-type]
            freed += 1
        return freed > 0

    # Called by the worker

    def listen(self, listener: Listener, sock: socket.socket) -> None:
        """Let this listener serve this listening socket."""
        self.listeners.listen(listener, sock)
        self._share_out()

    def watch(self, watch: HealthWatch) -> None:
        """From now on, apply this watch's findings to the instances."""
        self._watch = watch
        self._look_at_instances()

    def stop_listening(self) -> None:
        """Accept what has arrived so far and then stop; the sockets stay open for the next process."""
        self.listeners.stop()

    def switch(self, snapshot: Snapshot) -> None:
        """Requests that begin from now on use this snapshot; those that have begun keep theirs."""
        if self.snapshot.http2 > snapshot.http2 or self.snapshot.h2c > snapshot.h2c:
            send_away(self._clients)
        self.snapshot = snapshot
        self._share_out()

    def _share_out(self) -> None:
        """Allow as many connections as the configuration says, but no more than there are descriptors for."""
        descriptors, listeners = descriptors_of_process(), len(self.listeners)
        self.max_connections = min(self.snapshot.max_connections, connections_within(descriptors, listeners))
        self.evictor.most_turned_away = turned_away_within(descriptors, listeners)

    def retire(self, instances: Iterable[Instance]) -> None:
        """These no longer belong to any environment: what they serve ends well, their idle connections are closed."""
        for instance in instances:
            instance.retire()
            for upstream in list(instance.idle):
                upstream.abort()  # type: ignore[attr-defined]

    def log_to(self, access_log: AccessLog, line: LineFormat | None) -> None:
        """From now on, write to this log in this format; the caller closes the previous one."""
        self._log.flush()
        self._base[INDEX["log_lines_dropped_total"]] += self._log.dropped
        self._log = access_log
        self._append = access_log.append
        self._set_format(line)
        self._tell_time(int(time.time()))

    def _set_format(self, line: LineFormat | None) -> None:
        self._format = None if line is None else line.write
        self._time_format = "" if line is None else line.time

    def lines_lost(self, count: int) -> None:
        """Lines that the previous log could no longer write."""
        self._base[INDEX["log_lines_dropped_total"]] += count

    def step_aside(self) -> None:
        """Accept no more, leave what is queued to the other process that has the sockets, and close every connection
        after its next request.

        Idle connections keep their normal timeout: closing one early could race with the client's next request.
        """
        self.draining = True
        self._release_handshakes()
        self.listeners.hand_over_all()
        send_away(self._clients)

    def drain(self) -> None:
        """Accept no more, close idle connections, and each other one when its exchange has ended."""
        self.draining = self.fast_drain = True
        self.stop_listening()
        self._release_handshakes()
        for client in list(self._clients):
            client.drain()  # type: ignore[attr-defined]

    def remaining(self) -> list[Share]:
        """What is open: how many of each kind and app."""
        return shares_of(self._clients)

    def cut(self) -> None:
        """End everything open in an orderly way: what was sent to a client so far still arrives."""
        for client in list(self._clients):
            client.cut()  # type: ignore[attr-defined]

    def _release_handshakes(self) -> None:
        if self.held is not None:  # those that wait for a certificate: the clients reconnect to another process
            self.held.close()

    def detach(self) -> None:
        """Another process now has this worker's row in shared memory: count in private memory."""
        self.flush()
        self._row = CounterRow(memoryview(bytearray(8 * len(NAMES))).cast("q"))
        self.connection_counts.detach()

    def close(self) -> None:
        """End everything immediately."""
        self.stop_listening()
        for client in list(self._clients):
            client.abort()
        self._ticking.cancel()
        if self.guards is not None:
            self.guards.close()
        self.evictor.close()
        self.flush()
        self.poller.close()

    def flush(self) -> None:
        """Write out log lines and counters."""
        self._log.flush()
        values = list(self._base)
        for status_class in range(1, 6):
            values[INDEX[response_cell(status_class)]] += self._responses[status_class]
            values[INDEX["requests_total"]] += self._responses[status_class]
        for name, count in (
            ("bytes_in", self._bytes_in),
            ("bytes_out", self._bytes_out),
            ("connections_total", self.connections_total),
            ("connections_open", self.open_connections),
            ("tls_handshakes_total", self.handshakes),
            ("tls_resumed_total", self.resumed),
            ("upstream_connects_total", self.connects),
            ("upstream_reused_total", self.reused),
            ("retries_total", self.retries),
            ("retries_refused_total", self.unrepeated),
            ("tls_record_floods_total", self.floods.total),
            ("redirects_to_self_total", self.redirect_loops.total),
            ("log_lines_dropped_total", self._log.dropped),
            *self.http2.cells(),
            *(() if self.held is None else self.held.figures()),
        ):
            values[INDEX[name]] += count
        for cause, count in self._errors.items():
            values[INDEX[error_cell(cause)]] += count
        self._row.store(values)

    def shed(self, listener: Listener, error: int) -> None:
        """The system refuses a new connection: if descriptors are lacking, close the least valuable connections, and
        let the listener rest a moment, so that a full worker does more than poll its queue.
        """
        if error in OURS:
            self.free_descriptors(error)
        self.listeners.rest(listener)

    def _tick(self) -> None:
        now = self.poller.tick()
        seconds = int(time.time())
        if seconds != self._second:
            self._tell_time(seconds)
        self.deadlines.advance(now)
        self.files.sweep(now)

    def _look_at_instances(self) -> None:
        """Drop instances that are gone; waiting exchanges get those that have begun to serve."""
        for change in self._watch.look(self.poller.now) if self._watch is not None else ():
            self.retire(change.gone)
            self.queue.rouse(change.environment)

    def _tell_time(self, seconds: int) -> None:
        """Format the second that has begun, for responses and log lines."""
        self._second = seconds
        self.date_line = b"Date: " + formatdate(seconds, usegmt=True).encode() + b"\r\n"
        self._log_time = time.strftime(self._time_format, time.gmtime(seconds)).encode()

    def broken(self, watched: object, error: Exception) -> None:
        """A bug in the handling of one connection ends that connection, and is logged."""
        context = {"message": "a connection was ended by an error", "exception": error, "protocol": watched}
        self._loop.call_exception_handler(context)
        if isinstance(watched, Downstream):
            watched.abort()
