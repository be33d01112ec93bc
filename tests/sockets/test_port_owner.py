"""Who listens on a port, as /proc tells."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from lb.sockets.port_owner import port_holder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's /proc")


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_process_that_listens_is_named(family: socket.AddressFamily, host: str) -> None:
    # spec: E3
    with socket.create_server((host, 0), family=family) as sock:
        said = port_holder(sock.getsockname()[1])
    assert said.endswith(f"(pid {os.getpid()})")
    assert len(said) < 120


def test_a_port_that_is_only_bound_has_no_holder() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        assert port_holder(sock.getsockname()[1]) == ""
