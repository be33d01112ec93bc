"""The pool of ports."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from lb.apps.run.port_claim import claim_port
from lb.apps.run.ports import NoPortError, PortPool, claim_free_port, ephemeral_ports, overlap, port_is_free


def test_the_pool_goes_round_and_leaves_out_what_is_taken() -> None:
    pool = PortPool(range(10, 14), is_free=lambda port: port != 11)
    assert [pool.take() for _ in range(4)] == [10, 12, 13, 10]
    assert pool.take(avoid={12}) == 13


def test_a_full_pool_says_so() -> None:
    with pytest.raises(NoPortError, match=r"no port of 10-13 is free; make engine\.ports wider"):
        PortPool(range(10, 14), is_free=lambda _: False).take()


@pytest.mark.skipif(sys.platform != "linux", reason="claims are Linux's")
def test_a_port_that_another_engine_has_claimed_is_left_to_it() -> None:
    first = claim_port(10)
    assert first is not None
    pool = PortPool(range(10, 12), is_free=lambda _: True)
    second = claim_free_port(pool)
    assert second.port == 11
    with pytest.raises(NoPortError):
        claim_free_port(pool)
    first.release()
    again = claim_free_port(pool)
    assert again.port == 10
    for claim in (second, again):
        claim.release()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_port_that_somebody_listens_on_is_not_free(host: str) -> None:
    with socket.create_server((host, 0)) as server:
        port = server.getsockname()[1]
        assert not port_is_free(port)
    assert port_is_free(port)


def test_a_port_on_ipv6_alone_is_not_free() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        assert not port_is_free(server.getsockname()[1])


def test_ports_of_outgoing_connections_are_known(tmp_path: Path) -> None:
    file = tmp_path / "range"
    file.write_text("32768\t60999\n")
    assert ephemeral_ports(file) == range(32768, 61000)
    assert ephemeral_ports(tmp_path / "none") == range(0)


def test_an_overlap_is_said_with_its_remedy() -> None:
    ephemeral = range(32768, 61000)
    assert overlap(range(20000, 30000), ephemeral) == ""
    assert overlap(range(20000, 32768), ephemeral) == ""
    said = overlap(range(30000, 40000), ephemeral)
    assert "engine.ports 30000-39999 overlaps the ports of outgoing connections (32768-60999)" in said
    assert "sysctl -w net.ipv4.ip_local_reserved_ports=30000-39999" in said
    assert overlap(range(30000, 40000), range(0)) == ""
