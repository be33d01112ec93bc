"""An exchange without sockets: a client's side and connections to instances that only remember, and a clock to set."""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lb.config.load import config_for_instances
from lb.config.plan import make_plan
from lb.errors import ProxyError
from lb.http.head import Limits
from lb.http.path_pattern import parse_pattern
from lb.http.scan import scan_request
from lb.process.child_config import compile_for_worker
from lb.proxy.client_info import ClientInfo
from lb.proxy.downstream import Downstream
from lb.proxy.engine import Engine
from lb.proxy.exchange.exchange import Exchange
from lb.proxy.handler import Handler
from lb.proxy.io.read_buffer import ReadBuffer
from lb.proxy.upstream.connection import Upstream
from lb.routing.auth_rules import ForwardAuthRule
from lb.routing.clients import Clients
from lb.routing.environment import Environment
from lb.routing.file_rule import FileRule
from lb.routing.instance import Instance
from lb.routing.registry import Registry
from lb.routing.route_extras import RouteExtras
from lb.telemetry.access_log import AccessLog
from lb.telemetry.counters import Slab


class FakeClient(Downstream):
    """A client's side: `heads` and `out` are what an exchange sent, `ended` how it was done."""

    def __init__(self) -> None:
        super().__init__()
        self.set_up()
        self.heads: list[bytes] = []
        self.out = b""
        self.ended: tuple[bool, bool] | None = None
        self.probes: list[bool] = []
        self.trailers: bytes | None = None
        self.takes_files = 0  # bytes of a file in one go

    def transfer(self, file: int, at: int, size: int) -> int:
        data = os.pread(file, min(size, self.takes_files), at)
        self.out += data
        return len(data)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def read_on(self) -> None:
        self.paused = False

    def head(self, lines: bytes, date: bytes, persistent: bool, streamed: bool) -> None:
        self.heads.append(lines + date)
        self.persistent, self.streamed = persistent, streamed

    def interim(self, lines: bytes) -> None:
        self.heads.append(lines)

    def switch(self, lines: bytes, protocol: bytes) -> None:
        self.heads.append(lines)
        self.protocol = protocol

    def body(self, source: ReadBuffer, trailers: bytes | None) -> None:
        self.out += source.take_ready()
        self.trailers = trailers

    def piece(self, data: bytes, trailers: bytes | None) -> None:
        self.out += data
        self.trailers = trailers

    def probe(self, head_out: bool) -> None:
        self.probes.append(head_out)

    def abort(self) -> None:
        self.closed = True
        handler: Handler | None = self.handler
        self.tell(None)
        if handler is not None:
            handler.client_gone()

    def reset(self) -> None:
        self.abort()

    def done(self, keep_alive: bool, unread: bool) -> None:
        self.tell(None)
        self.ended = keep_alive, unread


class FakeUpstream(Upstream):
    """A connection to an instance, which is yet to be made: `sent` is what went to the instance."""

    def __init__(self, engine: Engine, instance: Instance) -> None:
        super().__init__(engine, instance)
        self.sent = b""

    def idle(self) -> None:
        """It has served, and waits in its instance's pool."""
        self.idle_since = self.engine.poller.now
        self.pooled = self.reused = True
        self.instance.connections += 1
        self.instance.idle.append(self)

    def connect(self, _poller: object, _family: int, _address: object, _packed: bytes) -> int:
        return errno.EINPROGRESS

    def is_stale(self) -> bool:
        return False

    def send(self, data: bytes) -> None:
        self.sent += data

    def send_with(self, prefix: bytes | None, source: ReadBuffer, suffix: bytes | None) -> None:
        self.sent += (prefix or b"") + source.take_ready() + (suffix or b"")

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def takes(self) -> bool:
        return False

    def abort(self) -> None:
        self.closed = True


class Stage:
    """One worker's engine, an app with two instances, and a client with a request."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        config = config_for_instances(["127.0.0.1:1", "127.0.0.1:2"], [], "127.0.0.1:0")
        snapshot, plan = compile_for_worker(make_plan(config), Registry(), None, 1)
        plan.commit()
        self.engine = Engine(loop, snapshot, AccessLog("-", "off"), None, Slab(1).row(0), Clients())
        self.engine.connector = FakeUpstream
        environment = snapshot.table.find(b"app.example")
        assert environment is not None
        self.environment: Environment = environment.environment
        self.client = FakeClient()
        self.begun: list[Exchange] = []
        for instance in self.environment.instances:
            instance.keeps_idle = True

    def busy(self, busy: bool = True) -> None:
        """Every instance serves as much as it may, or nothing."""
        for instance in self.environment.instances:
            instance.limit = 1
            instance.inflight = int(busy)

    def down(self) -> None:
        """No instance may serve."""
        for instance in self.environment.instances:
            instance.healthy = False

    def pooled(self) -> None:
        """Each instance has a connection to spare."""
        for instance in self.environment.instances:
            FakeUpstream(self.engine, instance).idle()

    def files(self) -> None:
        """The app is a directory, with a file that goes out by pieces for every path."""
        with tempfile.TemporaryDirectory() as name:
            Path(name, "much").write_bytes(b"x" * 100_000)
            rule = FileRule(name.encode(), parse_pattern("/"))
            rule.fallback = b"much"
            found = self.engine.snapshot.table.find(b"app.example")
            assert found is not None
            found.extras = RouteExtras(files=rule)
            self.engine.files.find(rule, b"/", self.engine.poller.now)  # and keeps it open

    def guarded(self) -> None:
        """An authentication service, which has not answered yet, stands before the app."""
        found = self.engine.snapshot.table.find(b"app.example")
        assert found is not None
        found.extras = RouteExtras(forward_auth=ForwardAuthRule("127.0.0.1", 3, b"auth", b"/verify", (), 5.0))

    def exchange(self, request: bytes) -> Exchange:
        """An exchange about this request; what stands behind its head has come, too."""
        head = scan_request(request, Limits())
        assert head is not None
        self.client.fill(request[head.length :])
        exchange = Exchange()
        exchange.begin(self.engine, self.client, ClientInfo(self.engine, b"http", b"192.0.2.1"), head)
        self.client.tell(exchange)
        self.begun.append(exchange)
        return exchange


@contextmanager
def staged() -> Iterator[Stage]:
    """A stage; its loop is never run."""
    loop = asyncio.new_event_loop()
    stage = Stage(loop)
    try:
        yield stage
    finally:
        for exchange in stage.begun:
            exchange.fail(ProxyError("proxy_stopped"))  # closes what it began to connect
        stage.engine.close()
        loop.close()
