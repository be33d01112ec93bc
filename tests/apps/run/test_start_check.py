"""The start check on a clock of our own, and on real servers."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from lb.apps.project.start import Serving, StartPlan
from lb.apps.run.exit import Exit
from lb.apps.run.http_question import StartAnswer, StartQuestion, ask
from lb.apps.run.instance import LaunchedInstance
from lb.apps.run.order import Isolation, Network
from lb.apps.run.start import start_instance
from lb.apps.run.start_check import StartCheck, StartFailed, wait_until_healthy
from lb.apps.run.start_failure import FUNCTIONS, PING
from tests.apps.run.conftest import Instances
from tests.apps.run.making import order, project, python, survivors
from tests.apps.run.waiting import until

OK, MISSING, NOBODY = (
    StartAnswer(200, connected=True),
    StartAnswer(404, connected=True),
    StartAnswer(problem="Connection refused"),
)


class FakeClock:
    """Time passes where somebody sleeps, and nowhere else."""

    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        self.time += seconds
        await asyncio.sleep(0)


class FakeRunning:
    """An instance that never ends unless `ends` is set."""

    def __init__(self) -> None:
        self.endpoint = "unix:/nowhere/sock"
        self.port = 0
        self.facts = type("Facts", (), {"name": "web1", "network": Network.HOST})
        self.ends = asyncio.Event()

    async def wait_exit(self) -> Exit:
        await self.ends.wait()
        return Exit(status=3, lines=("ImportError: x",))

    async def pids(self) -> list[int]:
        return []

    async def last_lines(self, count: int) -> tuple[str, ...]:
        return ("a line",)[-count:]


class Fake:
    """A start that is asked; `reply` gives the answer to each question at its time."""

    def __init__(self, reply: Callable[[str, float], StartAnswer], **check: Any) -> None:
        self.clock = FakeClock()
        self.running = FakeRunning()
        self.asked: list[StartQuestion] = []
        self._reply = reply
        self._check = StartCheck("shop.example.com", **check)

    async def _ask(self, question: StartQuestion) -> StartAnswer:
        self.asked.append(question)
        return self._reply(question.uri, self.clock.time)

    async def run(self) -> None:
        await wait_until_healthy(cast("LaunchedInstance", self.running), self._check, self.clock, self._ask)

    @property
    def uris(self) -> list[str]:
        return [question.uri for question in self.asked]


# spec: H2
async def test_the_sdk_s_answer_is_enough() -> None:
    fake = Fake(lambda uri, _: OK if uri == PING else StartAnswer(500, connected=True))
    await fake.run()
    assert fake.uris == [PING]


# spec: H2
async def test_the_home_page_is_enough() -> None:
    fake = Fake(lambda uri, _: OK if uri == "/" else MISSING, proto="https")
    await fake.run()
    assert fake.uris == [PING, "/"]
    assert {(question.host, question.proto) for question in fake.asked} == {("shop.example.com", "https")}


# spec: H1
async def test_it_is_asked_each_second_until_its_time_is_up() -> None:
    fake = Fake(lambda _, __: MISSING, timeout=15)
    with pytest.raises(StartFailed, match="web1 answers 404 to GET /"):
        await fake.run()
    assert fake.clock.time == 15
    assert fake.clock.slept == [1.0] * 15
    assert fake.uris == [PING, "/"] * 15


async def test_one_that_does_not_listen_yet_is_looked_for_more_often() -> None:
    fake = Fake(lambda _, now: OK if now >= 0.35 else NOBODY)
    await fake.run()
    assert fake.clock.time == pytest.approx(0.4)
    assert set(fake.uris) == {PING}


async def test_the_health_uri_is_asked_instead_of_the_home_page() -> None:
    fake = Fake(lambda uri, _: OK if uri == "/up" else MISSING, health_uri="/up")
    await fake.run()
    assert fake.uris == [PING, "/up"]


# spec: H3
async def test_strict_functions_must_answer() -> None:
    good = Fake(lambda _, __: OK, functions_mode="strict", credentials=("the-id", "the-key"))
    await good.run()
    assert good.uris == [PING, FUNCTIONS]
    assert good.asked[0].fields == ()
    assert good.asked[1].fields == (("X-LC-Id", "the-id"), ("X-LC-Key", "the-key,master"))
    assert "the-key" not in repr(good.asked[1])
    bad = Fake(lambda uri, _: MISSING if uri == FUNCTIONS else OK, functions_mode="strict")
    with pytest.raises(StartFailed, match=f"answers 404 to GET {FUNCTIONS}, and functionsMode is strict"):
        await bad.run()
    assert bad.clock.time == 0


# spec: H3
@pytest.mark.parametrize("mode", ["", "disabled"])
async def test_other_functions_modes_ask_for_none(mode: str) -> None:
    fake = Fake(lambda uri, _: MISSING if uri == FUNCTIONS else OK, functions_mode=mode)
    await fake.run()
    assert FUNCTIONS not in fake.uris


async def test_one_that_ends_has_failed_at_once() -> None:
    fake = Fake(lambda _, __: NOBODY)
    fake.running.ends.set()
    with pytest.raises(StartFailed) as caught:
        await fake.run()
    assert caught.value.exit == Exit(status=3, lines=("ImportError: x",))
    assert caught.value.sentence == "web1 exited with status 3: ImportError: x."
    assert fake.clock.time < 1


async def test_an_answer_is_waited_for_no_longer_than_the_start() -> None:
    fake = Fake(lambda _, __: MISSING, timeout=3)
    with pytest.raises(StartFailed):
        await fake.run()
    assert [question.timeout for question in fake.asked[::2]] == [3, 2, 1]


# Real servers.

WSGI = StartPlan(Serving.WSGI, module="wsgi", server="gunicorn")
ASGI = StartPlan(Serving.ASGI, module="asgi", server="uvicorn")
CHECK = StartCheck("shop.example.com", timeout=15)
WSGI_APP = """
import os
port = int(os.environ["LEANCLOUD_APP_PORT"])
def application(environ, start_response):
    start_response("200 OK", [("X-Seen", environ["HTTP_HOST"] + " " + environ["wsgi.url_scheme"])])
    return [b"hello"]
"""
ASGI_APP = """
import os
port = int(os.environ["LEANCLOUD_APP_PORT"])
async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                print("lifespan ended")
                return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
"""


async def started(instances: Instances, wanted: Any, check: StartCheck = CHECK) -> LaunchedInstance:
    running = await start_instance(wanted, instances.root, check)
    instances.started.append(running)
    return running


@pytest.mark.long
async def test_gunicorn_serves_on_its_socket(instances: Instances, tmp_path: Path, rung: Isolation) -> None:
    project(tmp_path, wsgi_py=WSGI_APP)
    running = await started(instances, order(tmp_path, WSGI, isolation=rung))
    assert running.endpoint.startswith("unix:")
    assert Path(running.endpoint.removeprefix("unix:")).stat().st_mode & 0o777 == 0o666
    assert (await ask(StartQuestion(running.endpoint, "/", "a.example", "https", 5))).status == 200
    ended = await running.terminate()
    assert ended.clean, ended
    assert ended.status == 0
    assert survivors(running) == []


@pytest.mark.long
async def test_two_gunicorns_of_one_release_run_side_by_side(instances: Instances, tmp_path: Path) -> None:
    project(tmp_path, wsgi_py=WSGI_APP)
    first = await started(instances, order(tmp_path, WSGI))
    second = await started(instances, order(tmp_path, WSGI, name="web2"))
    assert first.endpoint != second.endpoint
    for running in (first, second):
        assert (await ask(StartQuestion(running.endpoint, "/", "a.example", "http", 5))).good


@pytest.mark.long
async def test_uvicorn_serves_on_its_socket_and_ends_its_lifespan(
    instances: Instances, tmp_path: Path, rung: Isolation
) -> None:
    project(tmp_path, asgi_py=ASGI_APP)
    running = await started(instances, order(tmp_path, ASGI, isolation=rung))
    assert Path(running.endpoint.removeprefix("unix:")).stat().st_mode & 0o777 == 0o666
    ended = await running.terminate()
    assert ended.clean, ended
    assert "lifespan ended" in ended.lines


SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()
host, port = sys.argv[1:3]
http.server.HTTPServer((host, int(port)), Handler).serve_forever()
"""


@pytest.mark.long
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
async def test_a_command_serves_on_its_port(instances: Instances, tmp_path: Path, rung: Isolation, host: str) -> None:
    project(tmp_path, app_py=SERVER)
    running = await started(instances, order(tmp_path, f"python app.py {host} $LEANCLOUD_APP_PORT", isolation=rung))
    assert running.endpoint == f"127.0.0.1:{running.port}"


@pytest.mark.long
async def test_an_app_on_another_port_is_told_where_it_listens(
    instances: Instances, tmp_path: Path, rung: Isolation, free_port: int
) -> None:
    project(tmp_path, app_py=SERVER)
    wanted = order(tmp_path, f"python app.py 127.0.0.1 {free_port}", isolation=rung)
    with pytest.raises(StartFailed) as caught:
        await started(instances, wanted, StartCheck("shop.example.com", timeout=1.5))
    assert f"web1 listens on 127.0.0.1:{free_port}, not on LEANCLOUD_APP_PORT 2" in caught.value.sentence
    assert list(instances.root.iterdir()) == []


@pytest.mark.long
async def test_a_port_that_is_taken_is_tried_once_more_on_another(
    instances: Instances, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    project(tmp_path, app_py=SERVER)
    other = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", free_port)
    monkeypatch.setattr("lb.apps.run.ports.port_is_free", lambda _: True)
    async with other:
        wanted = order(tmp_path, "python app.py 127.0.0.1 $PORT", ports=range(free_port, free_port + 2))
        running = await started(instances, wanted)
    assert running.port == free_port + 1
    assert [path.name for path in instances.root.iterdir()] == [running.id]


PATIENT = """
import errno, http.server, os, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()
while True:
    try:
        http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
    except OSError:
        time.sleep(0.1)  # as an app does that waits for its port
"""


@pytest.mark.long
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_another_program_on_the_port_does_not_answer_for_the_app(
    instances: Instances, tmp_path: Path, rung: Isolation, monkeypatch: pytest.MonkeyPatch, free_port: int, host: str
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    if host == "::1" and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    project(tmp_path, app_py=PATIENT if host == "127.0.0.1" else "import time; time.sleep(300)")
    monkeypatch.setattr("lb.apps.run.ports.port_is_free", lambda _: True)
    ports = range(free_port, free_port + 2) if host == "127.0.0.1" else range(free_port, free_port + 1)
    async with await asyncio.start_server(answer, host, free_port):
        wanted = order(tmp_path, "python app.py", ports=ports, isolation=rung)
        if host == "127.0.0.1":
            running = await started(instances, wanted)
            assert running.port == free_port + 1
            return
        with pytest.raises(StartFailed, match=rf"could not have port {free_port}: .*\(process {os.getpid()}\) listens"):
            await started(instances, wanted)
    assert list(instances.root.iterdir()) == []


@pytest.mark.long
async def test_a_start_that_exits_says_its_last_lines(instances: Instances, tmp_path: Path, rung: Isolation) -> None:
    project(tmp_path, wsgi_py="import no_such_module")
    with pytest.raises(StartFailed) as caught:
        await started(instances, order(tmp_path, WSGI, isolation=rung))
    assert "the module no_such_module is not installed" in caught.value.sentence
    assert caught.value.next_step == "Add no_such_module to requirements.txt, or correct the import."
    assert 1 < len(caught.value.lines) <= 20


@pytest.mark.long
async def test_a_daemonizer_is_told_to_stay(instances: Instances, tmp_path: Path, rung: Isolation) -> None:
    command = f"{sys.executable} -m gunicorn --daemon -b 127.0.0.1:$PORT wsgi"
    project(tmp_path, wsgi_py=WSGI_APP)
    with pytest.raises(StartFailed) as caught:
        await started(instances, order(tmp_path, command, isolation=rung))
    assert "left the foreground" in caught.value.sentence
    assert "Remove --daemon" in caught.value.next_step


@pytest.mark.long
async def test_a_cancelled_start_is_ended(instances: Instances, tmp_path: Path) -> None:
    task = asyncio.create_task(
        start_instance(order(tmp_path, python("import time; time.sleep(300)")), instances.root, CHECK)
    )

    async def begun() -> bool:
        return any((path / "instance.json").exists() for path in instances.root.iterdir())

    await until(begun, "the start")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(instances.root.iterdir()) == []
