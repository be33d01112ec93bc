"""Ports for servers that cannot take port 0 and say which one they got: each is ours from its choice to the end.

A socket that is bound and does not listen keeps the system from giving the port to anybody else, while a server that
sets SO_REUSEADDR, as all do, can still listen there. UDP has no such rule: a server of it gets another try.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TypeVar

from tests.e2e.harness.instance import reserve

T = TypeVar("T")


@contextmanager
def held_ports(count: int) -> Iterator[tuple[int, ...]]:
    """So many TCP ports of 127.0.0.1, kept until the block ends."""
    with ExitStack() as held:
        sockets = [held.enter_context(reserve()) for _ in range(count)]
        yield tuple(int(sock.getsockname()[1]) for sock in sockets)


def unused_udp_port() -> int:
    """A UDP port of 127.0.0.1 that nobody had a moment ago."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def with_another_try(start: Callable[[], AbstractContextManager[T]], tries: int = 4) -> Iterator[T]:
    """What `start()` gives. Where it fails before that, because a port was taken meanwhile, it is called again."""
    with ExitStack() as stack:
        for left in reversed(range(tries)):
            try:
                value = stack.enter_context(start())
            except AssertionError:
                if not left:
                    raise
            else:
                break
        yield value


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
