"""Where a dialogue takes place: one worker's engine, an app, and the connections that were made so far."""

from __future__ import annotations

import errno
import json
import re
from collections import deque
from dataclasses import dataclass
from functools import cache
from typing import Any

from lb.config.load import load_bytes
from lb.config.model import Config
from lb.config.plan import make_plan
from lb.process.child_config import compile_for_worker
from lb.proxy.engine import Engine
from lb.proxy.http1.accept import ClientListener
from lb.proxy.io.deadlines import Deadlines
from lb.routing.clients import Clients
from lb.routing.environment import Environment
from lb.routing.instance import Instance
from lb.routing.registry import Registry
from lb.telemetry.access_log import AccessLog
from lb.telemetry.counters import Slab
from lb.telemetry.line_format import LineFormat
from lb.telemetry.record import Record
from tests.proxy.dialogue.loop import SteppedLoop, SteppedPoller
from tests.proxy.dialogue.wires import LineClient, LineUpstream

_LONGEST = 100.0  # seconds after which every unused connection to an instance is closed
_SHOWN = 400  # bytes of a message, where a dialogue goes wrong
_TURNS = 1000  # that one event may lead to before it counts as endless
_VARYING = (
    (re.compile(rb"(?<=\r\nDate: )\w{3}, [^\r]+ GMT"), b"now"),
    (re.compile(rb"(?<=\r\nX-Request-Id: )[0-9a-f]{32}"), b"new"),
)


@dataclass(frozen=True, slots=True)
class Deed:
    """What the proxy did: `who` is "client", "instance" or "log", and `number` which of them."""

    who: str
    number: int
    word: str
    data: bytes = b""

    def __str__(self) -> str:
        if self.who == "log":
            return f"logged({self.word})"
        which = self.who if self.number == 1 else f"{self.who}.number({self.number})"
        if self.word == "data":
            more = "" if len(self.data) <= _SHOWN else f" and {len(self.data) - _SHOWN} bytes more"
            return f"{which}({self.data[:_SHOWN]!r}{more})"
        return f"{which}.{self.word}" + (f" {self.data!r}" if self.data else "")


class Stage:
    """`deeds` is what the proxy did and the dialogue has not named yet."""

    def __init__(self, instances: int, scheme: str, config: dict[str, Any], production: dict[str, Any]) -> None:
        self.loop = SteppedLoop()
        self.deeds: deque[Deed] = deque()
        self.clients: list[LineClient] = []
        self.upstreams: list[LineUpstream] = []
        self.outcomes: deque[int] = deque()  # of the next attempts to connect
        self._scheme = scheme.encode()
        snapshot, plan = compile_for_worker(
            make_plan(_config(instances, _text(config), _text(production))), Registry(), None, 1
        )
        plan.commit()
        loop: Any = self.loop
        self.engine = Engine(
            loop, snapshot, AccessLog("-", "off"), LineFormat(self._log, ""), Slab(1).row(0), Clients()
        )
        self.engine.poller.close()
        self.engine.poller = SteppedPoller(loop, self.engine.broken)
        self.engine.deadlines = Deadlines(self.engine.poller.tick(), self.engine.broken)
        self.engine.connector = self._connect
        self.engine.switch(snapshot)
        route = snapshot.table.find(b"app.example")
        assert route is not None
        self.environment: Environment = route.environment
        for instance in self.environment.instances:
            instance.keeps_idle = True

    def client(self, number: int) -> LineClient:
        """This client's connection, which is made when it is first spoken of."""
        while len(self.clients) < number:
            self._accept()
        return self.clients[number - 1]

    def _accept(self) -> None:
        number = len(self.clients) + 1
        client = LineClient(self.engine, self._scheme, lambda word, data: self._note("client", number, word, data))
        self.clients.append(client)
        contexts: Any = object() if self._scheme == b"https" else None
        ClientListener(self.engine, self._scheme, contexts)._admit(client)

    def upstream(self, number: int) -> LineUpstream:
        """This connection to an instance."""
        assert len(self.upstreams) >= number, f"only {len(self.upstreams)} connections to instances were made"
        return self.upstreams[number - 1]

    def _connect(self, engine: Engine, instance: Instance) -> LineUpstream:
        number = len(self.upstreams) + 1
        error = self.outcomes.popleft() if self.outcomes else errno.EINPROGRESS
        upstream = LineUpstream(engine, instance, lambda word, data: self._note("instance", number, word, data), error)
        self.upstreams.append(upstream)
        self._note("instance", number, "connects", instance.label.rpartition(b":")[2])
        return upstream

    def _log(self, record: Record, _time: bytes) -> bytes:
        cause = "" if record.cause is None else f" {record.cause}"
        self._note("log", 1, f"{record.status}{cause}", b"")
        return b""

    def _note(self, who: str, number: int, word: str, data: bytes) -> None:
        for pattern, instead in _VARYING:
            data = pattern.sub(instead, data)
        self.deeds.append(Deed(who, number, word, data))

    def settle(self) -> None:
        """Let everything happen that needs no time."""
        for _ in range(_TURNS):
            wires: list[LineClient | LineUpstream] = [*self.clients, *self.upstreams]
            turns = [wire.line.turn() for wire in wires]
            if not self.loop.run_ready() and not any(turns):
                break
        else:
            raise AssertionError("it goes on and on")
        if self.loop.failures:
            raise self.loop.failures[0]

    def wait(self, seconds: float) -> None:
        """Let so much time pass."""
        until = self.loop.now + seconds
        going = True
        while going:
            going = self.loop.run_timer(until)
            self.engine.poller.tick()
            self.settle()

    def leave(self) -> None:
        """Close what is open, and see that nothing stays taken."""
        for client in self.clients:
            client.abort()
        self.wait(_LONGEST)
        self.engine.close()
        assert self.engine.open_connections == 0
        assert self.engine.queue.count == 0
        for instance in self.environment.instances:
            assert instance.inflight == 0, "an instance counts a request that is over"
            assert instance.connections == 0, "a connection to an instance is left over"
            assert instance.idle == []


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, sort_keys=True)


@cache
def _config(instances: int, more: str, production: str) -> Config:
    app = {"domains": ["app.example"], "production": _production(instances) | json.loads(production)}
    config = {"listen": {"http": "127.0.0.1:0"}, "apps": {"app": app}} | json.loads(more)
    return load_bytes("dialogue", json.dumps(config).encode(), {}).config


def _production(instances: int) -> dict[str, Any]:
    return {"instances": [f"127.0.0.1:{number}" for number in range(1, instances + 1)]}
