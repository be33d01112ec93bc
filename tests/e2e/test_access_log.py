"""One line a request, in the form asked for, and never on the path of the response: clause R4."""

from __future__ import annotations

import json
import os
import re
import signal
from datetime import datetime
from pathlib import Path

import pytest

from tests.e2e.harness.client import get, message, post
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import echo
from tests.e2e.harness.waiting import wait_for

KEYS = {
    "time", "client", "method", "host", "target", "protocol", "status", "bytes_sent", "duration", "app", "environment",
    "instance", "cause", "request_id", "scheme", "user_agent", "referer",
}  # fmt: skip
COMBINED = re.compile(
    r'(\S+) - - \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-) '
    r'"((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)".*'
)
HOSTILE = 'a"b\\c\xe9\x7f'.replace("\x7f", "")


def test_json_lines_have_all_keys(tmp_path: Path) -> None:
    # spec: R4
    with Instance(echo()) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        door.ask(post("/a?b=c", b"hello", "User-Agent: test/1", "Referer: http://x/", "X-Request-Id: id-1"))
        entry = door.wait_log(target="/a?b=c")
    assert set(entry) >= KEYS
    expected = {
        "client": "127.0.0.1",
        "method": "POST",
        "host": "shop.example.com",
        "protocol": "HTTP/1.1",
        "status": 200,
        "app": "shop",
        "environment": "production",
        "instance": instance.address,
        "cause": None,
        "request_id": "id-1",
        "scheme": "http",
        "user_agent": "test/1",
        "referer": "http://x/",
    }
    assert {key: entry[key] for key in expected} == expected
    assert entry["bytes_sent"] > 0
    assert 0 <= entry["duration"] < 10
    assert datetime.fromisoformat(entry["time"]).tzinfo is not None


def test_one_line_a_request(tmp_path: Path) -> None:
    # spec: R4
    with Instance(echo()) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        with door.connect() as client:
            client.send(b"".join(get(f"/{number}") for number in range(50)))
            for _ in range(50):
                client.response()
        door.ask(get("/last", host="nobody.example"))
    assert [entry["target"] for entry in door.log()] == [f"/{number}" for number in range(50)] + ["/last"]


def test_what_is_hostile_stays_in_its_string(tmp_path: Path) -> None:
    # spec: R4; attack 26
    with Instance(echo()) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        door.ask(get('/x"y\\z', f"User-Agent: {HOSTILE}", 'Referer: "}\\', host="shop.example.com"))
        door.ask(get("/after"))
        door.wait_log(target="/after")
    entries = door.log()
    assert len(entries) == 2
    assert entries[0]["status"] == 200
    assert entries[0]["target"] == '/x"y\\z'
    assert entries[0]["user_agent"].startswith('a"b\\c')
    assert entries[0]["referer"] == '"}\\'


def test_the_combined_format(tmp_path: Path) -> None:
    # spec: R4
    path = tmp_path / "combined.log"
    with Instance(echo()) as instance:
        config = configure(instance.address, access_log={"path": str(path), "format": "combined"})
        with FrontDoor(config, tmp_path) as door:
            door.ask(get("/a?b", "User-Agent: test/1", "Referer: http://x/"))
            door.ask(get("/c", 'User-Agent: a"b\\', host="nobody.example"))
            door.ask(message("HEAD /d HTTP/1.0"))
    lines = path.read_text("latin-1").splitlines()
    assert len(lines) == 3
    matches = [COMBINED.fullmatch(line) for line in lines]
    assert all(matches), lines
    first, second, third = (match.groups() for match in matches if match)
    assert (first[0], first[2], first[3]) == ("127.0.0.1", "GET /a?b HTTP/1.1", "200")
    assert (first[5], first[6]) == ("http://x/", "test/1")
    assert (second[3], second[5]) == ("404", "-")
    assert third[2] == "HEAD /d HTTP/1.0"


def test_the_log_on_stdout(tmp_path: Path) -> None:
    # spec: R4
    with Instance(echo()) as instance:
        config = configure(instance.address, access_log={"path": "-", "format": "json"})
        with FrontDoor(config, tmp_path) as door:
            door.ask(get("/on-stdout"))
            wait_for(lambda: door.stdout, "a line on stdout")
    assert json.loads(door.stdout[0])["target"] == "/on-stdout"


@pytest.mark.parametrize("off", ["off", {"format": "off"}])
def test_no_log(tmp_path: Path, off: object) -> None:
    # spec: R4
    with Instance(echo()) as instance, FrontDoor(configure(instance.address, access_log=off), tmp_path) as door:
        assert door.ask(get()).status == 200
    assert door.stdout == []
    assert not door.log_path.exists()


def test_sigusr1_opens_the_file_again(tmp_path: Path) -> None:
    # spec: R4
    with Instance(echo()) as instance, FrontDoor(configure(instance.address, workers=2), tmp_path) as door:
        for _ in range(10):
            door.ask(get("/before"))
        wait_for(lambda: len(door.log()) == 10, "the lines before")
        rotated = tmp_path / "access.log.1"
        door.log_path.rename(rotated)
        door.signal(signal.SIGUSR1)
        wait_for(door.log_path.exists, "a new file")
        for _ in range(20):
            door.ask(get("/after"))
        wait_for(lambda: len(door.log()) + rotated.read_text().count("/after") == 20, "the lines after")
        wait_for(lambda: _says_after(door), "lines in the new file")


def _says_after(door: FrontDoor) -> bool:
    door.ask(get("/more"))
    return any(entry["target"] == "/more" for entry in door.log())


def test_a_log_that_cannot_be_written_delays_nobody(tmp_path: Path) -> None:
    # spec: R4
    fifo = tmp_path / "stuck"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with Instance(echo()) as instance:
            config = configure(instance.address, access_log={"path": str(fifo), "format": "json"})
            with FrontDoor(config, tmp_path) as door, door.connect() as client:
                for number in range(1000):  # several times what a pipe holds
                    assert client.ask(get(f"/{number}", "User-Agent: " + "x" * 300)).status == 200
                os.set_blocking(reader, True)
                drained = os.read(reader, 1 << 20)
                assert b'"/0"' in drained
                os.close(reader)
                reader = -1
    finally:
        if reader >= 0:
            os.close(reader)


def test_all_lines_are_written_before_the_end(tmp_path: Path) -> None:
    # spec: R4, R2
    with Instance(echo()) as instance, FrontDoor(configure(instance.address, workers=2), tmp_path) as door:
        for number in range(100):
            door.ask(get(f"/{number}"))
    assert sorted(entry["target"] for entry in door.log()) == sorted(f"/{number}" for number in range(100))
