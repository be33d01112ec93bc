"""`lb serve` as a process: its start, its signals, the death of its workers, its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lb.tls.files.self_signed import ensure_certificate
from tests.control.running import Running
from tests.e2e.harness import process
from tests.e2e.harness.client import HOST, Client, get
from tests.e2e.harness.door import FrontDoor, configure, run_lb
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.scripts import answer, echo, ok
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import Truncated

pytestmark = pytest.mark.long


class Gate:
    """An instance's script that answers when the test opens the gate."""

    def __init__(self) -> None:
        self.opened = threading.Event()

    def __call__(self, peer: Peer) -> None:
        while True:
            peer.request()
            assert self.opened.wait(30)
            peer.send(ok(b"through the gate"))


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return True
    return False


def refuse_to_start(tmp_path: Path, config: dict[str, object]) -> tuple[int, str]:
    file = tmp_path / "lb.yaml"
    file.write_text(json.dumps(config))
    ended = run_lb("serve", str(file), cwd=tmp_path)
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stderr


# The start


def test_the_banner_says_what_is_served_where_and_by_what(tmp_path: Path) -> None:
    ensure_certificate(tmp_path / "certs", [HOST])
    certificate = {"cert": "certs/localhost.pem", "key": "certs/localhost.key"}
    with Instance(echo()) as instance:
        config = configure(
            instance.address,
            listen={"http": "127.0.0.1:0", "https": "127.0.0.1:0"},
            tls={"certificates": [certificate]},
            shared_domain="apps.example.net",
            admin="127.0.0.1:0",
            workers=2,
        )
        with FrontDoor(config, tmp_path) as door:
            text = "\n".join(door.stderr)
            assert f"listening on http://127.0.0.1:{door.http}" in door.stderr
            assert f"listening on https://127.0.0.1:{door.https}" in door.stderr
            assert f"2 workers, access log (json) to {door.log_path}" in door.stderr
            assert "app shop" in door.stderr
            assert f"  {HOST}       production: {instance.address}" in door.stderr
            assert f"  shop.apps.example.net  production: {instance.address}" in door.stderr
            assert "staging" not in text
            assert "admin at http://127.0.0.1:" in text
            assert door.stderr[-1] == "ready"


def test_stdout_carries_the_access_log_and_nothing_else(tmp_path: Path) -> None:  # spec: R4
    with Instance(echo()) as instance, FrontDoor(configure(instance.address, access_log="json"), tmp_path) as door:
        assert door.ask(get("/one")).status == 200
        wait_for(lambda: door.stdout, "a line on stdout")
        assert [json.loads(line)["status"] for line in door.stdout] == [200]


def test_processes_have_names(tmp_path: Path) -> None:
    with Instance(echo()) as instance, FrontDoor(configure(instance.address, workers=2), tmp_path) as door:
        pids = [door.pid, *door.workers]
        titles = [Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0] for pid in pids]
        assert sorted(titles) == [b"lb: supervisor", b"lb: worker 1/2", b"lb: worker 2/2"]


def test_workers_are_as_many_as_cores_unless_set(tmp_path: Path) -> None:  # spec: R3
    with Instance(echo()) as instance, FrontDoor(configure(instance.address, workers="auto"), tmp_path) as door:
        assert len(door.workers) == len(os.sched_getaffinity(0))


def test_workers_never_import_the_admin_servers_library(tmp_path: Path) -> None:
    with Instance(echo()) as instance:
        config = configure(instance.address, workers=1, admin="127.0.0.1:0")
        with FrontDoor(config, tmp_path) as door:
            by_title = {Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]: pid for pid in door.workers}
            assert "multidict" in Path(f"/proc/{by_title[b'lb: admin']}/maps").read_text()
            for pid in (door.pid, by_title[b"lb: worker 1/1"]):
                assert "multidict" not in Path(f"/proc/{pid}/maps").read_text()


def test_a_port_in_use_is_exit_code_1_and_names_its_holder(tmp_path: Path) -> None:  # spec: R5
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, text = refuse_to_start(tmp_path, configure("127.0.0.1:1", listen={"http": f"127.0.0.1:{port}"}))
    assert code == 1
    assert f"lb: cannot listen on http://127.0.0.1:{port}: the port is in use by " in text
    assert f"(pid {os.getpid()})" in text


def test_a_certificate_that_is_not_there_is_exit_code_78(tmp_path: Path) -> None:  # spec: R5
    certificates = [{"cert": "none.pem", "key": "none.key"}]
    listen = {"https": "127.0.0.1:0"}
    code, text = refuse_to_start(tmp_path, configure("127.0.0.1:1", listen=listen, tls={"certificates": certificates}))
    assert code == 78
    assert "none.pem" in text


def test_an_access_log_that_cannot_be_written_is_exit_code_1(tmp_path: Path) -> None:  # spec: R5
    log = str(tmp_path / "none" / "access.log")
    code, text = refuse_to_start(tmp_path, configure("127.0.0.1:1", access_log={"path": log}))
    assert (code, text) == (1, f"lb: cannot write the access log {log}: No such file or directory\n")


# The death of a worker


def test_a_worker_killed_under_load_is_replaced_within_a_second(tmp_path: Path) -> None:  # spec: R3
    with Instance(answer(ok(b"fine"))) as instance, FrontDoor(configure(instance.address, workers=2), tmp_path) as door:
        ending = threading.Event()
        served: list[float] = []
        cut: list[float] = []
        failures: list[BaseException] = []

        def load() -> None:
            while not ending.is_set():
                try:
                    assert door.ask(get()).status == 200
                    served.append(time.monotonic())
                except (ConnectionResetError, Truncated):  # on a connection of the victim
                    cut.append(time.monotonic())
                except BaseException as problem:  # noqa: BLE001  told on the thread of the test
                    failures.append(problem)
                    return

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(served) > 50, "load")
        before = set(door.workers)
        victim = door.workers[0]
        killed = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: any("worker 1/2" in line and line.endswith(" serves") for line in door.stderr), "a new worker")
        replaced = time.monotonic()
        wait_for(lambda: sum(at > replaced for at in served) > 100, "load after the replacement")
        ending.set()
        for thread in threads:
            thread.join()
        assert not failures
        assert replaced - killed < 1.0
        assert len(cut) <= len(threads)  # at most one request of each client was in the victim's hands
        assert len(before - set(door.workers)) == 1
        assert any(killed < at < replaced for at in served)  # the other worker went on meanwhile


def test_counters_outlive_a_worker(tmp_path: Path) -> None:  # spec: R3
    with Instance(echo()) as instance, FrontDoor(configure(instance.address, admin="127.0.0.1:0"), tmp_path) as door:
        for _ in range(3):
            door.ask(get())
        wait_for(lambda: requests_total(door) == 3, "three requests counted")
        [victim] = [pid for pid in door.workers if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        os.kill(victim, signal.SIGKILL)
        assert door.ask(get()).status == 200
        wait_for(lambda: requests_total(door) == 4, "the count to go on")
        [worker] = json.loads(admin(door, "/status")[1])["workers"]
        assert worker["restarts"] == 1
        assert worker["pid"] != victim
        assert 'lb_process_restarts_total{process="worker"} 1\n' in admin(door, "/metrics")[1]
        config = configure(instance.address, admin=f"127.0.0.1:{door.port('admin')}", workers=2)
        assert door.reload(config)  # spec: O2
        assert 'lb_process_restarts_total{process="worker"} 1\n' in admin(door, "/metrics")[1]
        [assistant] = [pid for pid in door.workers if process.title(pid) == "lb: admin"]
        os.kill(assistant, signal.SIGKILL)
        wait_for(lambda: 'lb_process_restarts_total{process="admin"} 1\n' in metrics(door), "its restart to be counted")


def admin(door: FrontDoor, path: str) -> tuple[int, str]:
    url = next(line.split()[2].rstrip(":") for line in door.stderr if line.startswith("admin at "))
    try:
        with urllib.request.urlopen(url + path, timeout=10) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def metrics(door: FrontDoor) -> str:
    """What the admin server says, "" while it is being replaced."""
    try:
        return admin(door, "/metrics")[1]
    except OSError:
        return ""


def requests_total(door: FrontDoor) -> float:
    families = text_string_to_metric_families(admin(door, "/metrics")[1])
    return sum(sample.value for family in families for sample in family.samples if sample.name == "lb_requests_total")


def test_workers_drain_and_go_when_the_supervisor_is_killed(tmp_path: Path) -> None:  # spec: R3
    gate = Gate()
    with Instance(gate) as instance, FrontDoor(configure(instance.address, admin="127.0.0.1:0"), tmp_path) as door:
        children = door.workers
        with door.connect() as client:
            client.send(get())
            instance.wait_requests(1)
            os.kill(door.pid, signal.SIGKILL)
            wait_for(lambda: refuses(door.http), "the port to close")
            gate.opened.set()
            assert client.response().body == b"through the gate"
        wait_for(lambda: not any(map(process.is_alive, children)), "the children to go")
        assert door.wait_end() == -signal.SIGKILL


# The end


def test_sigterm_lets_running_requests_finish(tmp_path: Path) -> None:  # spec: R2, R5
    gate = Gate()
    with Instance(gate) as instance:
        config = configure(instance.address, workers=2, admin="127.0.0.1:0")
        with FrontDoor(config, tmp_path) as door, door.connect() as client, door.connect() as idle:
            client.send(get("/slow"))
            instance.wait_requests(1)
            assert admin(door, "/readyz") == (200, "ready\n")
            door.signal(signal.SIGTERM)
            wait_for(lambda: refuses(door.http), "the port to close")
            assert admin(door, "/readyz") == (503, "draining\n")
            assert idle.sock.recv(1) == b""  # a connection without a request is closed at once
            assert door.process.poll() is None
            gate.opened.set()
            response = client.response()
            assert response.body == b"through the gate"
            assert client.sock.recv(1) == b""
            assert door.wait_end() == 0
            assert [entry["status"] for entry in door.log()] == [200]


def test_a_second_sigterm_stops_at_once(tmp_path: Path) -> None:  # spec: R2
    gate = Gate()
    with Instance(gate) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        with door.connect() as client:
            client.send(get("/slow"))
            instance.wait_requests(1)
            door.signal(signal.SIGTERM)
            wait_for(lambda: refuses(door.http), "the port to close")
            time.sleep(0.01)  # sooner it would be the same wish
            asked = time.monotonic()
            door.signal(signal.SIGTERM)
            assert door.wait_end() == 1
            assert time.monotonic() - asked < 2.0
        gate.opened.set()


def test_ctrl_c_is_clean(tmp_path: Path) -> None:
    with Instance(echo()) as instance, FrontDoor(configure(instance.address, workers=2), tmp_path) as door:
        os.killpg(door.pid, signal.SIGINT)  # as a terminal sends it: to every process of the group
        assert door.wait_end() == 0
        door.check()


def test_sigusr1_moves_on_to_a_new_log_file(tmp_path: Path) -> None:  # spec: R4
    with Instance(echo()) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        door.ask(get("/before"))
        door.wait_log(status=200)
        rotated = door.log_path.rename(tmp_path / "access.log.1")
        door.signal(signal.SIGUSR1)
        wait_for(door.log_path.exists, "the new file")
        door.ask(get("/after"))
        door.wait_log(status=200)
        assert "/before" in rotated.read_text()
        assert "/after" not in rotated.read_text()


# Without a file


@pytest.mark.parametrize("domains", [(), (HOST, "www.example.com")])
def test_one_app_without_a_file(domains: tuple[str, ...]) -> None:
    with Instance(echo("one")) as one, Instance(echo("two")) as two:
        options = [option for domain in domains for option in ("--domain", domain)]
        arguments = ("--to", one.address, "--to", two.address, "--http", "127.0.0.1:0", *options)
        with Running("lb", "serve", *arguments) as running:
            running.wait_ready()
            port = int(running.wait_line(r"listening on http://127\.0\.0\.1:(\d+)")[1])
            with Client(("127.0.0.1", port)) as client:
                seen = {json.loads(client.ask(get(host=HOST)).body)["instance"] for _ in range(4)}
                assert seen == {"one", "two"}  # spec: F1
                assert client.ask(get(host="other.example.org")).status == (404 if domains else 200)  # spec: D4
            running.signal(signal.SIGTERM)
            assert running.wait_end() == 0
