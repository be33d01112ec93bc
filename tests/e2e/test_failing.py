"""An instance that begins to fail and works again: one line each on stderr, of however many workers. E3."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.harness.client import get
from tests.e2e.harness.door import FrontDoor, configure, run_lb
from tests.e2e.harness.instance import Instance, Peer, address_text, reserve
from tests.e2e.harness.scripts import echo
from tests.e2e.harness.waiting import wait_for
from tests.e2e.test_health import admin


def lines(door: FrontDoor, words: str) -> list[str]:
    return [line for line in list(door.stderr) if words in line]


def test_passed_over_and_back_are_one_line_each(tmp_path: Path) -> None:
    # spec: E3, F1
    closed = reserve()
    address = address_text(closed)
    with Instance(echo("works")) as works:
        config = configure(works.address, address, workers=2, admin="127.0.0.1:0")
        with FrontDoor(config, tmp_path) as door:
            gauge = f'lb_instance_up{{app="shop",environment="production",instance="{address}"}} '

            def is_up(share: str) -> bool:
                assert door.ask(get()).status == 200
                return f"{gauge}{share}\n" in admin(door, "/metrics").decode()

            wait_for(lambda: is_up("0"), "both workers to have met it")
            [line] = lines(door, address + " is passed over")
            assert " warning app shop production " in line
            assert "is passed over for 1 s, and then gets one request: The app's instance refused" in line
            assert "(connection_refused). The app's operator can check" in line
            status = run_lb("status", str(door.file)).stdout
            assert f"{address} is failing: connection_refused, " in status
            with Instance(echo("back"), sock=closed):
                wait_for(lambda: is_up("1"), "both workers to have seen it work")
                [line] = lines(door, address + " works again, after ")
                assert " info app shop production " in line
                status = run_lb("status", str(door.file)).stdout
                assert f"{address} works; its last failure: connection_refused, " in status
            assert len(lines(door, address + " is passed over")) == 1


def test_the_only_instance_is_named_too(tmp_path: Path) -> None:
    # spec: E3
    closed = reserve()
    address = address_text(closed)
    with FrontDoor(configure(address), tmp_path) as door:
        for _ in range(5):
            assert door.ask(get()).status == 502
        wait_for(lambda: lines(door, address + " fails, and no other instance can serve in its place"), "the line")
        with Instance(echo(), sock=closed):
            assert door.ask(get()).status == 200
            wait_for(lambda: lines(door, address + " works again"), "the line")
        assert len(lines(door, address + " fails")) == 1


def test_a_reload_in_the_middle_neither_repeats_nor_forgets(tmp_path: Path) -> None:
    # spec: E3, R2
    closed = reserve()
    address = address_text(closed)
    with Instance(echo()) as works, FrontDoor(configure(address), tmp_path) as door:
        assert door.ask(get()).status == 502
        wait_for(lambda: lines(door, address + " fails"), "the line")
        assert door.reload(configure(address, works.address))
        wait_for(lambda: door.ask(get()).status == 200, "the other one to serve")
        with Instance(echo(), sock=closed) as late:
            wait_for(lambda: door.ask(get()).status == 200 and late.requests, "it to serve")
            wait_for(lambda: lines(door, address + " works again"), "the line")
        assert len(lines(door, address + " fails")) + len(lines(door, address + " is passed over")) == 1


def test_the_end_of_an_event_stream_is_no_error(tmp_path: Path) -> None:
    # spec: E1, E3
    def script(peer: Peer) -> None:
        request = peer.request()
        kind = b"text/event-stream" if request.target == b"/events" else b"text/plain"
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n\r\ndata: 1\n\n" % kind)
        peer.wait_gone()

    with Instance(script) as instance, FrontDoor(configure(instance.address, admin="127.0.0.1:0"), tmp_path) as door:
        for target in ("/events", "/page"):
            with door.connect() as client:
                client.send(get(target))
                client.stream.fill()
        assert door.wait_log(target="/events")["cause"] is None
        assert door.wait_log(target="/page")["cause"] == "client_closed_request"
        name = 'lb_errors_total{cause="client_closed_request"}'
        wait_for(lambda: f"{name} 1\n" in admin(door, "/metrics").decode(), "the other one alone to be counted")
