"""A configuration becomes a service: what is made before the first process, and what stands in the way of that."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from lb.config.load import load_bytes
from lb.config.plan import Plan
from lb.control.service import Service, available_cores, prepare, workers_of
from lb.process.start_error import StartError


def plan(http: str = "127.0.0.1:0", **more: Any) -> Plan:
    production = {"instances": ["127.0.0.1:1"]}
    value = {"listen": {"http": http}, "apps": {"shop": {"domains": ["a.example"], "production": production}}, **more}
    return load_bytes("test", json.dumps(value).encode(), {}).plan


def close(service: Service) -> None:
    for bound in (*service.bound, *service.admin):
        for sock in bound.sockets:
            sock.close()


def test_as_many_workers_as_are_asked_for_or_as_there_are_cores() -> None:
    assert workers_of(plan(workers=3).config.workers) == 3
    assert workers_of(plan().config.workers) == available_cores() == len(os.sched_getaffinity(0))


# spec: R1
def test_sockets_are_bound_before_anything_runs(tmp_path: Path) -> None:
    service = prepare(plan(workers=2), {"version": "1"}, {"XDG_RUNTIME_DIR": str(tmp_path)})
    (bound,) = service.bound
    assert len(bound.sockets) == 2
    with socket.create_connection(bound.sockets[0].getsockname()):
        pass
    assert service.info == {"version": "1"}
    assert service.board.serving == 2
    close(service)


# spec: E3
def test_a_port_that_is_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        address = f"127.0.0.1:{sock.getsockname()[1]}"
        with pytest.raises(StartError, match=address):
            prepare(plan(address), {}, {"XDG_RUNTIME_DIR": str(tmp_path)})


# spec: R2
def test_what_failed_leaves_the_place_for_commands(tmp_path: Path) -> None:
    file = tmp_path / "lb.yaml"
    file.touch()
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
    broken = plan(access_log={"path": str(tmp_path / "no" / "log")})
    with pytest.raises(StartError):
        prepare(broken, {}, dict(environ), file)
    service = prepare(plan(), {}, dict(environ), file)
    assert service.plan == plan()
    service._origin.give_up()
    close(service)
