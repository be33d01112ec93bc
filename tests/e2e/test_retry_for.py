"""`retry_for`: a single instance that restarts costs no request, and for how long that is waited for."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness.client import get, message, post
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import assert_error
from tests.e2e.harness.instance import Instance, address_text, reserve
from tests.e2e.harness.scripts import Echo, echo
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import Response


def config(retry_for: str, *instances: str, **top: Any) -> dict[str, Any]:
    made = configure(*instances, **top)
    made["apps"]["shop"]["production"]["retry_for"] = retry_for
    return made


# spec: F2
@pytest.mark.parametrize("kind", ["port", "socket"])
def test_a_request_waits_for_an_instance_that_restarts(tmp_path: Path, short_path: Path, kind: str) -> None:
    path = short_path / "app.sock" if kind == "socket" else None
    sock = None if path else reserve()
    address = f"unix:{path}" if path or sock is None else address_text(sock)
    requests = (
        get(),
        post("/", b"hello"),
        message("POST /", "Transfer-Encoding: chunked", body=b"1\r\na\r\n0\r\n\r\n"),
    )
    got: list[Response] = []
    with FrontDoor(config("30s", address), tmp_path) as door:
        threads = [threading.Thread(target=lambda data=data: got.append(door.ask(data))) for data in requests]
        for thread in threads:
            thread.start()
        with door.connect() as gone:  # nobody waits for one that leaves
            gone.send(get("/gone"))
            gone.close()
        door.wait_log(target="/gone", status=499)
        assert got == []
        with Instance(echo(), sock=sock, path=path) as back:
            for thread in threads:
                thread.join(30)
            assert sorted(Echo(response).method for response in got) == ["GET", "POST", "POST"]
            assert b"/gone" not in back.seen


# spec: F2, E1
def test_it_is_an_error_when_the_time_is_over_and_at_once_without_it(tmp_path: Path) -> None:
    with closing(reserve()) as refusing:
        for retry_for, slow in (("600ms", True), ("off", False)):
            with FrontDoor(config(retry_for, address_text(refusing)), tmp_path) as door:
                assert_error(door.ask(get()), 502, "connection_refused")
                entry = door.wait_log(status=502, cause="connection_refused")
                assert (float(entry["duration"]) >= 0.6) is slow
            door.log_path.unlink()


# spec: F2, A1
def test_it_waits_for_an_instance_that_checks_have_taken_out(tmp_path: Path) -> None:
    sock = reserve()
    made = config("30s", address_text(sock), admin="127.0.0.1:0")
    made["apps"]["shop"]["production"].update(health_checks=True, health_interval="200ms")
    got: list[Response] = []
    with FrontDoor(made, tmp_path) as door:
        wait_for(lambda: [line for line in door.stderr if "health" in line], "the checks to take it out")
        thread = threading.Thread(target=lambda: got.append(door.ask(get())))
        thread.start()
        with Instance(echo(), sock=sock):
            thread.join(30)
            assert Echo(got[0]).method == "GET"


# spec: L5
def test_those_who_wait_have_a_bound(tmp_path: Path) -> None:
    with closing(reserve()) as refusing:
        made = config("30s", address_text(refusing), limits={"waiting": 2})
        with FrontDoor(made, tmp_path) as door, door.connect() as one, door.connect() as two:
            one.send(get())
            two.send(get())

            def refused() -> bool:
                with door.connect() as third:
                    third.sock.settimeout(0.2)
                    third.send(get("/third"))
                    try:
                        return b"502" in third.sock.recv(100)
                    except TimeoutError:
                        return False

            wait_for(refused, "a third to be refused at once")


# spec: F1, F2
def test_another_instance_is_taken_at_once(tmp_path: Path) -> None:
    with (
        closing(reserve()) as refusing,
        Instance(echo()) as good,
        FrontDoor(config("30s", address_text(refusing), good.address), tmp_path) as door,
    ):
        for _ in range(4):
            Echo(door.ask(get()))
        lines = door.wait_log_where(lambda log: len(log) == 4, "4 lines")
        assert max(float(entry["duration"]) for entry in lines) < 1
