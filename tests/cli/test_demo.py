"""`lb demo`: started as a visitor starts it, tried as its banner says, ended with Ctrl-C."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lb.apps.service.engine_socket import socket_name
from lb.cli.demo_deploys import CONFIGURATION
from lb.cli.demo_service import on_ipv6_too
from lb.config.load import load_file
from tests.control.running import Running
from tests.e2e.harness import process
from tests.e2e.harness.client import Client, get, post
from tests.e2e.harness.waiting import wait_for

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]

_ANY = ("--http", "127.0.0.1:0", "--https", "127.0.0.1:0")


@pytest.fixture(autouse=True)
def _runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A short path for sockets."""
    with TemporaryDirectory(prefix="lbd-") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        yield


@contextmanager
def demo(directory: Path, *options: str) -> Iterator[Running]:
    """Serves; nothing of it may be left when it has ended."""
    with Running("lb", "demo", *(options or _ANY), cwd=directory) as running:
        running.wait_ready()
        yield running
    wait_for(lambda: not apps(directory), "the apps to be gone")


def apps(directory: Path) -> list[int]:
    """The processes of the apps and of the engine of the demo in this directory."""
    mark = str(directory / "demo" / "engine").encode()
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (path / "cmdline").read_bytes() or mark in (path / "environ").read_bytes():
                found.append(int(path.name))
    return found


def port(running: Running, scheme: str) -> int:
    return int(running.wait_line(rf"listening on {scheme}://127\.0\.0\.1:(\d+)")[1])


def instances(running: Running, host: str) -> list[tuple[str, str]]:
    """(instance, environment) that answered, of four requests."""
    with Client(("127.0.0.1", port(running, "http"))) as client:
        answers = [json.loads(client.ask(get("/json", host=host)).body) for _ in range(4)]
    return [(answer["instance"], answer["environment"]) for answer in answers]


def test_each_name_reaches_its_environment(tmp_path: Path) -> None:  # spec: D1, F1
    with demo(tmp_path) as running:
        for host in ("localhost", "127.0.0.1", "demo.localhost"):
            assert set(instances(running, host)) == {("web1", "production"), ("web2", "production")}
        wait_others(tmp_path)
        assert set(instances(running, "stg-demo.localhost")) == {("web1", "staging")}
        with Client(("127.0.0.1", port(running, "http"))) as client:
            assert client.ask(get("/x", host="hello.localhost")).body.startswith(b"Hello from web1, release 20")


def wait_others(directory: Path) -> None:
    """Until the deploys that the first page does not need are done, and all workers know."""

    def are_done() -> bool:
        shown = json.loads(lb(directory, "status", "demo/lb.yaml", "--json").stdout)["apps"]
        all_of_them = (shown["demo"]["production"], shown["demo"]["staging"], shown["hello"]["production"])
        found = [one["deployed"] for one in all_of_them]
        return all(one["state"] == "running" and one["followed"] == one["generation"] for one in found)

    wait_for(are_done, "all to be deployed", 60.0)


def lb(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "lb", *words]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(command, cwd=directory, env=environ, capture_output=True, text=True, check=False)


def test_an_edited_file_is_deployed_and_is_there_the_next_time(tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        wait_others(tmp_path)
        file = tmp_path / "demo" / "hello" / "wsgi.py"
        file.write_text(file.read_text("utf-8").replace("Hello", "Bonjour"), "utf-8")
        done = lb(tmp_path, "deploy", "hello", "demo/hello", "--prod")
        assert done.returncode == 0, done.stderr + done.stdout
        assert hello(running).startswith(b"Bonjour")
        assert lb(tmp_path, "reload", "demo/lb.yaml").returncode == 0
    with demo(tmp_path) as running:
        assert hello(running).startswith(b"Bonjour"), "requests wait for an app that starts"
    assert len(list((tmp_path / "demo" / "engine" / "apps" / "hello" / "releases").iterdir())) == 2


def hello(running: Running) -> bytes:
    with Client(("127.0.0.1", port(running, "http"))) as client:
        return client.ask(get("/", host="hello.localhost")).body


def test_https_is_served_with_a_certificate_of_the_local_authority(tmp_path: Path) -> None:
    root = tmp_path / "certs" / "local" / "root.pem"  # what `lb certs trust` takes here
    for _ in range(2):
        with demo(tmp_path) as running:
            made = root.read_bytes()
            trust = ssl.create_default_context(cafile=root)
            for host in ("localhost", "127.0.0.1", "demo.localhost", "stg-demo.localhost"):
                if host == "stg-demo.localhost":
                    wait_others(tmp_path)
                with Client(("127.0.0.1", port(running, "https")), tls=trust, name=host) as client:
                    fields = dict(json.loads(client.ask(get("/json", host=host)).body)["fields"])
                    assert fields["x-forwarded-proto"] == "https"  # spec: H1
    assert root.read_bytes() == made


def test_localhost_may_be_an_ipv6_address() -> None:
    config = load_file(CONFIGURATION, {"LB_DEMO_HTTP": "127.0.0.1:8080", "LB_DEMO_HTTPS": "127.0.0.1:8443"}).config
    listen = on_ipv6_too(config).listen
    if socket.has_ipv6 and Path("/proc/net/if_inet6").read_text():
        assert [str(one) for one in listen.http] == ["127.0.0.1:8080", "[::1]:8080"]
        assert [str(one) for one in listen.https] == ["127.0.0.1:8443", "[::1]:8443"]
    else:
        assert listen == config.listen


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_while_it_starts(tmp_path: Path, number: signal.Signals) -> None:
    with Running("lb", "demo", *_ANY, cwd=tmp_path) as running:
        wait_for((tmp_path / "demo" / "engine" / ".engine.lock").exists, "the engine to begin")
        os.killpg(running.pid, number)
        assert running.wait_end() == 0
        assert "Traceback" not in running.stderr
    wait_for(lambda: not apps(tmp_path), "the apps to be gone")


def test_killed_while_it_starts(tmp_path: Path) -> None:
    with Running("lb", "demo", *_ANY, cwd=tmp_path) as running:
        engine = wait_for(lambda: process.children(running.pid), "the engine to begin")
        os.kill(running.pid, signal.SIGKILL)
        wait_for(lambda: not any(map(process.is_alive, engine)), "the engine to be gone", 60.0)
        running.wait_end()
        assert "Traceback" not in running.stderr
    wait_for(lambda: not apps(tmp_path), "the apps to be gone")


def test_the_page_and_the_upload(tmp_path: Path) -> None:
    with demo(tmp_path) as running, Client(("127.0.0.1", port(running, "http"))) as client:
        page = client.ask(get("/", host="localhost"))
        assert page.status == 200
        assert b"x-real-ip" in page.body
        assert b"127.0.0.1" in page.body
        assert json.loads(client.ask(post("/upload", b"x" * 2_000_000, host="localhost")).body)["bytes"] == 2_000_000


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_every_curl_line_of_the_banner_works(tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        lines = [line.partition("#") for line in running.lines if line.startswith("  curl ")]
        assert len(lines) == 4
        wait_others(tmp_path)
        for command, _, environment in lines:
            arguments = [*shlex.split(command), "--silent", "--show-error"]
            ended = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=tmp_path)
            assert ended.returncode == 0, ended.stderr
            assert json.loads(ended.stdout)["environment"] == environment.strip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_of_it(tmp_path: Path, number: signal.Signals) -> None:
    with demo(tmp_path) as running:
        children = running.children
        assert len(children) == 5  # the engine, two workers, one for certificates, one for health
        with Client(("127.0.0.1", port(running, "http"))) as client:
            client.send(get("/events", host="localhost"))  # a stream without end must not hold it up
            assert client.sock.recv(1)
            os.killpg(running.pid, number)
            assert running.wait_end() == 0
        assert "Traceback" not in running.stderr
        wait_for(lambda: not any(map(process.is_alive, children)), "the children to be gone")


def test_nothing_is_left_when_it_is_killed(tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        children = running.children
        running.signal(signal.SIGKILL)
        wait_for(lambda: not any(map(process.is_alive, children)), "the children to be gone", 60.0)


def test_a_taken_port_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with Running("lb", "demo", "--http", f"127.0.0.1:{number}", "--https", "127.0.0.1:0", cwd=tmp_path) as running:
            assert running.wait_end() == 1
            assert f"lb: cannot listen on http://127.0.0.1:{number}: the port is in use by" in running.stderr
            assert "Traceback" not in running.stderr
    wait_for(lambda: not apps(tmp_path), "the apps to be gone")


def test_two_demos_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with demo(tmp_path / "one") as first, demo(tmp_path / "two") as second:
        for running in (first, second):
            assert set(instances(running, "localhost")) == {("web1", "production"), ("web2", "production")}


def test_a_bad_address_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with Running("lb", "demo", "--http", "nonsense", cwd=tmp_path) as running:
        assert running.wait_end() == 78
        assert list(tmp_path.iterdir()) == []


def test_another_engine_for_the_same_demo_is_told_and_not_disturbed(tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        second = lb(tmp_path, "demo", *_ANY)
        assert second.returncode == 1
        assert "demo/lb.yaml is already served by process" in second.stderr
        assert instances(running, "localhost")
        assert (Path(os.environ["XDG_RUNTIME_DIR"]) / "lb-engine" / socket_name(tmp_path / "demo" / "lb.yaml")).exists()


def test_the_tree_shows_the_very_file_that_the_package_has() -> None:
    assert (Path(__file__).parents[2] / "config" / "demo.yaml").samefile(CONFIGURATION)
