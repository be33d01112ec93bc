"""What a configuration means to one child: sockets by numbers that every process knows, and a snapshot."""

from __future__ import annotations

import os
import socket

from lb.config.load import config_for_instances
from lb.config.plan import make_plan
from lb.process.child_config import compile_for_worker, inode
from lb.routing.registry import Registry


def test_a_socket_has_one_number_by_whichever_descriptor() -> None:
    with socket.socket() as one, socket.socket() as other:
        again = socket.socket(fileno=os.dup(one.fileno()))
        with again:
            assert inode(again) == inode(one) != inode(other)


def test_a_snapshot_is_used_when_its_plan_has_been_committed() -> None:
    registry = Registry()
    config = config_for_instances(["127.0.0.1:1"], ["a.example"], "127.0.0.1:0")
    snapshot, registry_plan = compile_for_worker(make_plan(config), registry, 8443, 2)
    assert registry.environments == {}
    registry_plan.commit()
    route = snapshot.table.find(b"a.example")
    assert route is not None
    assert list(registry.environments.values()) == [route.environment]
    assert snapshot.https_port == 8443
    assert snapshot.max_connections == config.limits.connections // 2
