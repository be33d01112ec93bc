"""The harness's ports: nobody takes one between its choice and its use, and a server that lost one gets another."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.harness.killable import Killable
from tests.e2e.harness.ports import accepts, held_ports, with_another_try


def test_a_held_port_is_given_to_nobody_else_and_a_server_can_listen_there() -> None:
    with held_ports(3) as ports:
        assert len(set(ports)) == 3
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", ports[0]))  # without SO_REUSEADDR, as whoever gets it by chance
        with socket.create_server(("127.0.0.1", ports[0])):
            assert accepts(ports[0])
        assert not accepts(ports[0])


def test_an_instance_keeps_its_port_while_it_is_down() -> None:
    with Killable() as instance:
        instance.kill()
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", int(instance.address.rpartition(":")[2])))
        instance.start()


def test_a_server_whose_port_was_taken_gets_another_try() -> None:
    started: list[int] = []

    @contextmanager
    def start() -> Iterator[int]:
        started.append(len(started))
        assert started[-1] == 2, "its port is taken"
        yield started[-1]

    with with_another_try(start) as which:
        assert which == 2
    started.clear()
    with pytest.raises(AssertionError, match="taken"), with_another_try(start, 2):
        pass
    with pytest.raises(AssertionError, match="of the block"), with_another_try(start, 9):
        raise AssertionError("of the block")
    assert started == [0, 1, 2]
