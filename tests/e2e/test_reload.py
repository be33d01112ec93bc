"""SIGHUP: whatever a changed file says holds for what comes next, and nothing that is open is cut. Clause R2."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.control.running import Running
from tests.e2e.harness import process
from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST, Client, get, message, post
from tests.e2e.harness.door import Config, FrontDoor, configure, run_lb
from tests.e2e.harness.instance import Instance, Peer, reserve
from tests.e2e.harness.load import load, newcomers, wait_more
from tests.e2e.harness.scripts import Echo, answer, echo, ok
from tests.e2e.harness.tunnels import Tunnels, echoing_instance
from tests.e2e.harness.waiting import PATIENCE, wait_for

OTHER = "other.example.com"
TEXT = ok(b"a text that is long enough to be made shorter " * 40, "Content-Type: text/plain")


def app(*instances: str, domains: tuple[Any, ...] = (HOST,)) -> dict[str, Any]:
    return {"domains": list(domains), "production": {"instances": list(instances)}}


# spec: R2
@pytest.mark.parametrize(
    ("before", "after", "request_", "statuses"),
    [
        ({}, {"domains": (HOST, OTHER)}, get(host=OTHER), (404, 200)),
        ({"domains": (HOST, OTHER)}, {}, get(host=OTHER), (200, 404)),
        ({"domains": (HOST, OTHER)}, {"domains": (HOST,), "shared_domain": "example.net"}, get(host=OTHER), (200, 404)),
        ({}, {"limits": {"header_line": 300}}, get("/" + "x" * 400), (200, 414)),
        ({"limits": {"body": 10}}, {}, post("/", b"x" * 20), (413, 200)),
    ],
)
def test_a_changed_file_holds_for_new_requests(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], request_: bytes, statuses: tuple[int, int]
) -> None:
    with Instance(answer(TEXT)) as instance, FrontDoor(configure(instance.address, **before), tmp_path) as door:
        with door.connect() as kept, load(door, get(), clients=2) as outcomes:
            assert door.ask(request_).status == statuses[0]
            assert kept.ask(get()).status == 200
            assert door.reload(configure(instance.address, **after))
            assert door.ask(request_).status == statuses[1]
            assert kept.ask(get()).status == 200  # a connection from before
            wait_more(outcomes)
        assert set(outcomes) == {"200"}


def test_compression_changes(tmp_path: Path) -> None:
    # spec: R2
    ask = get("/", "Accept-Encoding: gzip")
    with Instance(answer(TEXT)) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        for setting, encoded in ((True, True), (False, False), ({"algorithms": "br"}, False), (True, True)):
            assert door.reload(configure(instance.address, compression=setting))
            assert door.ask(ask).has("content-encoding") == encoded


def test_trusted_proxies_change(tmp_path: Path) -> None:
    # spec: R2, H2
    domain = {"name": HOST, "cdn": True}
    ask = get("/", "X-Forwarded-For: 192.0.2.7")

    def config(network: str) -> Config:
        return configure(instance.address, domains=(domain,), trusted_proxies=[network])

    with Instance(echo()) as instance, FrontDoor(config("192.0.2.0/24"), tmp_path) as door, door.connect() as client:
        assert Echo(client.ask(ask)).one("X-Forwarded-For") == "127.0.0.1"
        assert door.reload(config("127.0.0.0/8"))
        assert Echo(client.ask(ask)).one("X-Forwarded-For") == "192.0.2.7, 127.0.0.1"


def test_a_bad_file_changes_nothing_and_the_log_says_where(tmp_path: Path) -> None:
    # spec: R1, R2
    with Instance(echo()) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        workers = door.workers
        door.file.write_text("listen:\n  http: 127.0.0.1:0\nworker: 3\napps: {shop: {domains: a b}}\n")
        assert not door.reload()
        log = "\n".join(door.stderr)
        assert f'{door.file}:3:1: error: unknown key "worker": did you mean "workers"?' in log
        assert f"{door.file}:4:" in log
        assert "not reloaded: the previous configuration stays in effect" in log
        assert door.ask(get()).status == 200
        assert door.workers == workers
        door.file.unlink()
        assert not door.reload()
        assert f"{door.file}: error: there is no such file" in "\n".join(door.stderr)
        assert door.reload(configure(instance.address, domains=(OTHER,)))
        assert door.ask(get(host=OTHER)).status == 200


@contextmanager
def taken() -> Iterator[int]:
    with reserve() as sock:
        sock.listen()
        yield sock.getsockname()[1]


def test_what_cannot_be_had_changes_nothing(tmp_path: Path, authority: Authority) -> None:
    # spec: R2
    with Instance(echo()) as instance, FrontDoor(configure(instance.address), tmp_path) as door, taken() as port:
        assert door.ask(get()).status == 200
        files = process.open_files(door.pid), process.open_files(door.workers[0])
        certificate = authority.issue(HOST)
        key = authority.issue(OTHER)["key"]
        both = {"http": "127.0.0.1:0", "https": "127.0.0.1:0"}
        for change, reason in (
            ({"listen": {"http": ["127.0.0.1:0", f"127.0.0.1:{port}"]}}, "the port is in use by"),
            ({"admin": f"127.0.0.1:{port}"}, "the port is in use by"),
            ({"listen": both, "tls": tls_config({**certificate, "key": key})}, "not the key of the first certificate"),
            ({"access_log": {"path": str(tmp_path), "format": "json"}}, "cannot write the access log"),
        ):
            assert not door.reload(configure(instance.address, domains=(OTHER,), workers=2, **change))
            assert reason in "\n".join(door.stderr)
            assert door.ask(get()).status == 200
            assert door.ask(get(host=OTHER)).status == 404
        assert len(door.workers) == 1
        wait_for(lambda: (process.open_files(door.pid), process.open_files(door.workers[0])) <= files, "the files")


def test_without_a_file_there_is_nothing_to_read(tmp_path: Path) -> None:
    with (
        Instance(echo()) as instance,
        Running("lb", "serve", "--to", instance.address, "--http", "127.0.0.1:0", cwd=tmp_path) as running,
    ):
        running.wait_ready()
        running.signal(signal.SIGHUP)
        running.wait_line("there is no configuration file to reload")
        running.wait_line("not reloaded")
        running.signal(signal.SIGTERM)
        assert running.wait_end() == 0


def test_instances_that_stay_keep_their_connections_and_others_lose_theirs(tmp_path: Path) -> None:
    # spec: R2, F1
    with (
        Instance(echo("one")) as one,
        Instance(echo("two")) as two,
        Instance(echo("three")) as three,
        FrontDoor(configure(one.address, two.address), tmp_path) as door,
        door.connect() as client,
    ):
        assert {Echo(client.ask(get())).instance for _ in range(2)} == {"one", "two"}
        assert (one.connections, two.connections) == (1, 1)
        assert door.reload(configure(two.address, three.address))
        wait_for(lambda: one.open_connections == 0, "the idle connection to close")
        assert {Echo(client.ask(get())).instance for _ in range(4)} == {"two", "three"}
        assert (one.connections, two.connections, three.connections) == (1, 1, 1)
        assert two.open_connections == 1


class Slow(Instance):
    """Begins each response, and goes on with it at the test's word."""

    def __init__(self) -> None:
        self.word = threading.Event()
        super().__init__(self._script)

    def _script(self, peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        assert self.word.wait(2 * PATIENCE)
        peer.send(b"cd")
        peer.wait_gone()

    def begin(self, client: Client) -> None:
        """The client gets the first half of an answer."""
        client.send(get())
        assert client.head().status == 200

    def end(self, *clients: Client) -> None:
        """They get the other half."""
        self.word.set()
        for client in clients:
            assert client.stream.exactly(4) == b"abcd"


ONE_AT_ONCE: dict[str, Any] = {"limits": {"instance_connections": 1}}


@pytest.mark.parametrize("with_app", [True, False])
def test_a_running_exchange_ends_well_though_its_instance_is_gone(tmp_path: Path, with_app: bool) -> None:
    # spec: R2
    with (
        Slow() as slow,
        Instance(echo()) as other,
        FrontDoor(configure(slow.address), tmp_path) as door,
        door.connect() as client,
    ):
        slow.begin(client)
        changed = configure(other.address)
        if not with_app:
            changed["apps"] = {"blog": app(other.address)}
        assert door.reload(changed)
        slow.end(client)
        wait_for(lambda: slow.open_connections == 0, "the connection not to be kept")
        assert Echo(client.ask(get())).instance == "one"


def test_who_waits_for_an_instance_is_served_by_what_a_reload_brings(tmp_path: Path) -> None:
    # spec: R2, L5
    with (
        Slow() as slow,
        Instance(echo()) as other,
        FrontDoor(configure(slow.address, **ONE_AT_ONCE), tmp_path) as door,
        door.connect() as first,
        door.connect() as second,
    ):
        slow.begin(first)
        second.send(get("/second"))
        assert door.reload(configure(slow.address, **ONE_AT_ONCE))  # which changes nothing
        assert len(slow.requests) == 1
        assert door.reload(configure(slow.address, other.address, **ONE_AT_ONCE))
        assert Echo(second.response()).target == "/second"
        slow.end(first)


def test_who_waits_for_an_app_that_is_no_more_is_told(tmp_path: Path) -> None:
    # spec: R2, L5
    changed = configure()
    with (
        Slow() as slow,
        FrontDoor(configure(slow.address, **ONE_AT_ONCE), tmp_path) as door,
        door.connect() as first,
        door.connect() as second,
    ):
        slow.begin(first)
        second.send(get("/second"))
        assert door.ask(get(host=OTHER)).status == 404  # what was sent before that has been read, too
        changed["apps"] = {"blog": app(slow.address, domains=(OTHER,))}
        assert door.reload(changed)
        assert second.response().status == 503
        slow.end(first)


def test_listeners_come_and_go(tmp_path: Path) -> None:
    # spec: R2
    free = reserve()
    extra = free.getsockname()[1]
    free.close()
    with Instance(echo()) as instance, FrontDoor(configure(instance.address, workers=2), tmp_path) as door:

        def listening(*addresses: str) -> Config:
            return configure(instance.address, workers=2, listen={"http": list(addresses)})

        def refused() -> bool:
            try:
                Client(("127.0.0.1", extra)).close()
            except ConnectionRefusedError:
                return True
            return False

        for _ in range(2):
            with load(door, get(), clients=2) as outcomes:
                assert refused()
                assert door.reload(listening("127.0.0.1:0", f"127.0.0.1:{extra}"))
                clients = [Client(("127.0.0.1", extra)) for _ in range(8)]
                assert {client.ask(get()).status for client in clients} == {200}
                assert door.reload(listening("127.0.0.1:0"))
                assert refused()
                assert {client.ask(get()).status for client in clients} == {200}
                wait_more(outcomes)
                for client in clients:
                    client.close()
            assert set(outcomes) == {"200"}
        assert door.ask(get()).status == 200  # the system picked that port, once


def test_a_port_changes_its_scheme(tmp_path: Path, authority: Authority) -> None:
    # spec: R2
    tls = tls_config(authority.issue(HOST))
    with Instance(echo()) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        address = f"127.0.0.1:{door.http}"
        with door.connect() as plain:
            assert plain.ask(get()).status == 200
            assert door.reload(configure(instance.address, listen={"https": address}, tls=tls))
            with Client(("127.0.0.1", door.http), tls=authority.context(), name=HOST) as client:
                assert Echo(client.ask(get())).one("X-Forwarded-Proto") == "https"
            assert Echo(plain.ask(get())).one("X-Forwarded-Proto") == "http"
        assert door.reload(configure(instance.address, listen={"http": address}))
        assert Echo(door.ask(get())).one("X-Forwarded-Proto") == "http"


def test_the_number_of_workers_changes_and_nobody_is_turned_away(tmp_path: Path) -> None:
    # spec: R2, R3
    with Instance(echo()) as instance, FrontDoor(configure(instance.address, workers=2), tmp_path) as door:
        with load(door, get(), clients=2) as kept, newcomers(door, get()) as outcomes:
            for workers in (4, 1, 3, 2):
                assert door.reload(configure(instance.address, workers=workers))
                titles = {f"lb: worker {number + 1}/{workers}" for number in range(workers)}
                wait_for(lambda: {process.title(pid) for pid in door.workers} == titles, f"{workers} workers")  # noqa: B023
                wait_more(outcomes, count=50)
        assert set(outcomes) == {"200"}
        assert set(kept) == {"200"}  # a worker that goes says so with the last answer on a connection


def test_who_waits_at_a_worker_that_goes_is_served_by_one_that_stays(tmp_path: Path) -> None:
    # spec: R2
    with Instance(echo()) as instance, FrontDoor(configure(instance.address, workers=2), tmp_path) as door:
        [leaving] = [pid for pid in door.workers if process.title(pid) == "lb: worker 2/2"]
        os.kill(leaving, signal.SIGSTOP)
        try:
            clients = [door.connect() for _ in range(32)]  # about half of them wait in its queue
            for client in clients:
                client.send(get())
            assert door.reload(configure(instance.address, workers=1))
            assert {client.response().status for client in clients} == {200}
        finally:
            os.kill(leaving, signal.SIGCONT)
        for client in clients:
            client.close()
        wait_for(lambda: len(door.workers) == 1, "it to go")


def test_who_waits_at_a_listener_that_goes_is_served(tmp_path: Path) -> None:
    # spec: R2
    with Instance(echo()) as instance:
        both = configure(instance.address, listen={"http": ["127.0.0.1:0", "127.0.0.2:0"]})
        with FrontDoor(both, tmp_path) as door:
            [worker] = door.workers
            os.kill(worker, signal.SIGSTOP)
            clients = [Client(("127.0.0.2", door.port(host="127.0.0.2"))) for _ in range(8)]
            for client in clients:
                client.send(get())
            door.write(configure(instance.address))
            door.signal(signal.SIGHUP)
            os.kill(worker, signal.SIGCONT)
            assert {client.response().status for client in clients} == {200}
            wait_for(lambda: _refuses(door.port(host="127.0.0.2"), "127.0.0.2"), "the listener to go")
            assert {client.ask(get()).status for client in clients} == {200}
            for client in clients:
                client.close()


def test_a_worker_that_goes_finishes_what_it_does(tmp_path: Path) -> None:
    # spec: R2
    with Slow() as slow, FrontDoor(configure(slow.address, workers=3), tmp_path) as door:
        clients = [door.connect() for _ in range(12)]
        for client in clients:
            slow.begin(client)
        busy = set(door.workers)
        for workers in (1, 2, 1, 2):  # those that drain are in nobody's way
            assert door.reload(configure(slow.address, workers=workers))
        assert busy <= set(door.workers)
        slow.end(*clients)
        for client in clients:
            client.close()
        wait_for(lambda: len(door.workers) == 2, "the others to go")
        assert not any("was killed" in line for line in door.stderr)


def test_who_was_promised_another_answer_gets_it_from_a_worker_that_goes(tmp_path: Path) -> None:
    # spec: R2: the head of an answer that was under way has said that the connection stays
    release = threading.Event()

    def script(peer: Peer) -> None:
        while True:
            request = peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegun")
            if request.target == b"/begun":
                release.wait(30)
            peer.send(b" end")

    with Instance(script) as instance, FrontDoor(configure(instance.address, workers=3), tmp_path) as door:
        clients = [door.connect() for _ in range(12)]
        for client in clients:
            client.send(get("/begun"))
            assert not client.head().has("Connection")
        assert door.reload(configure(instance.address, workers=1))
        release.set()
        for client in clients:
            assert client.stream.exactly(9) == b"begun end"
        wait_for(lambda: len(door.log()) == len(clients), "all to be logged")  # and nothing more is said to the clients
        assert {client.ask(get("/next")).status for client in clients} == {200}
        for client in clients:
            client.close()


def test_workers_that_die_meanwhile_are_replaced_with_what_is_current(tmp_path: Path) -> None:
    # spec: R2, R3
    with Instance(echo()) as instance, FrontDoor(configure(instance.address, workers=3), tmp_path) as door:
        for turn in range(4):
            victim = door.workers[turn % 3]
            if turn % 2:
                door.write(configure(instance.address, workers=3, domains=(HOST, f"{turn}.example.com")))
                door.signal(signal.SIGHUP)
                os.kill(victim, signal.SIGKILL)
            else:
                os.kill(victim, signal.SIGKILL)
                assert door.reload(configure(instance.address, workers=3, domains=(HOST, f"{turn}.example.com")))
            wait_for(lambda: len(door.workers) == 3 and victim not in door.workers, "three workers")  # noqa: B023
            wait_for(
                lambda: {door.ask(get(host=f"{turn}.example.com")).status for _ in range(12)} == {200},  # noqa: B023
                "all of them to know it",
            )


def test_a_file_that_is_slow_to_read_keeps_nobody_from_being_replaced(tmp_path: Path) -> None:
    # spec: R2, R3
    with Instance(echo()) as instance, FrontDoor(configure(instance.address, workers=2), tmp_path) as door:
        files = process.open_files(door.pid)
        many = [f"n{number}.example.com" for number in range(10_000)]
        door.write(configure(instance.address, workers=2, domains=(OTHER, *many)))
        door.signal(signal.SIGHUP)
        [reader] = wait_for(lambda: readers(door), "the reader")
        os.kill(reader, signal.SIGSTOP)  # long before it is through
        victim = door.workers[0]
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: len(door.workers) == 2 and victim not in door.workers, "two workers")
        assert run_lb("status", str(door.file)).returncode == 0
        assert door.ask(get()).status == 200
        os.kill(reader, signal.SIGCONT)
        wait_for(lambda: "the changed configuration is in effect" in "\n".join(door.stderr), "the change")
        assert door.ask(get(host=OTHER)).status == 200
        wait_for(lambda: (readers(door), process.open_files(door.pid)) == ([], files), "it to leave nothing behind")
        door.signal(signal.SIGHUP)
        [reader] = wait_for(lambda: readers(door), "another reader")
        door.signal(signal.SIGTERM)
        assert door.wait_end() == 0
        assert not process.is_alive(reader)


def readers(door: FrontDoor) -> list[int]:
    return [pid for pid in process.children(door.pid) if process.title(pid) == "lb: reader"]


def test_sessions_resume_and_certificates_change(tmp_path: Path, authority: Authority) -> None:
    # spec: R2, T4, T5
    def config(*certificates: dict[str, str], workers: int = 2) -> Config:
        listen = {"http": "127.0.0.1:0", "https": "127.0.0.1:0"}
        return configure(instance.address, listen=listen, tls=tls_config(*certificates), workers=workers)

    first, second = authority.issue(HOST), authority.issue(HOST, OTHER)
    context = authority.context()
    with Instance(echo()) as instance, FrontDoor(config(first), tmp_path) as door:
        kept = door.connect_tls(context)
        with kept:
            assert kept.ask(get()).status == 200
            assert isinstance(kept.sock, ssl.SSLSocket)
            session, before = kept.sock.session, kept.sock.getpeercert(binary_form=True)
            assert door.reload(config(second, workers=4))
            for _ in range(4):
                with door.connect_tls(context, session=session) as client:
                    assert client.ask(get()).status == 200
                    assert isinstance(client.sock, ssl.SSLSocket)
                    assert client.sock.session_reused
            with door.connect_tls(context) as client:
                assert isinstance(client.sock, ssl.SSLSocket)
                assert client.sock.getpeercert(binary_form=True) != before
                assert client.ask(get()).status == 200
            assert kept.ask(get()).status == 200


def test_https_can_be_added(tmp_path: Path, authority: Authority) -> None:
    # spec: R2
    free = reserve()
    port = free.getsockname()[1]
    free.close()
    with Instance(echo()) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        forced = configure(
            instance.address,
            domains=({"name": HOST, "force_https": True},),
            listen={"http": "127.0.0.1:0", "https": f"127.0.0.1:{port}"},
            tls=tls_config(authority.issue(HOST)),
        )
        assert door.reload(forced)
        assert door.ask(get("/a")).one("Location") == f"https://{HOST}:{port}/a".encode()
        with Client(("127.0.0.1", port), tls=authority.context(), name=HOST) as client:
            assert client.ask(get()).status == 200
        wait_for(lambda: "lb: certificates" in map(process.title, process.children(door.pid)), "their process")
        assert door.reload(configure(instance.address))
        assert door.ask(get("/a")).status == 200
        wait_for(lambda: "lb: certificates" not in map(process.title, process.children(door.pid)), "it to go")


def test_the_access_log_changes_and_no_line_is_lost(tmp_path: Path) -> None:
    # spec: R2, R4
    first, second = tmp_path / "first.log", tmp_path / "second.log"

    def config(access_log: object) -> Config:
        return configure(instance.address, access_log=access_log)

    def lines(path: Path) -> list[bytes]:
        return path.read_bytes().splitlines() if path.exists() else []

    with Instance(echo()) as instance, FrontDoor(config("off"), tmp_path) as door:
        with load(door, get(), clients=2) as outcomes:
            wait_more(outcomes, count=20)
            assert door.reload(config({"path": str(first)}))
            wait_more(outcomes, count=20)
            assert door.reload(config({"path": str(second), "format": "combined"}))
            wait_more(outcomes, count=20)
        with door.connect() as client:
            client.ask(get("/last-one"))
            wait_for(lambda: any(b"/last-one" in line for line in lines(second)), "the last line")
            assert door.reload(config("off"))
            client.ask(get("/unseen"))
            assert door.reload(config({"path": str(first)}))
            client.ask(get("/seen"))
            wait_for(lambda: b"/seen" in lines(first)[-1], "a line again")
    assert len([json.loads(line) for line in lines(first)]) > 20
    assert all(line.startswith(b"127.0.0.1 - - [") for line in lines(second))
    assert len(lines(second)) > 20
    assert not any(b"/unseen" in line for line in lines(first) + lines(second))


def test_the_admin_server_follows(tmp_path: Path) -> None:
    # spec: R2
    status = message("GET /status", host="localhost")
    free = reserve()
    port = free.getsockname()[1]
    free.close()
    with Instance(echo()) as instance, FrontDoor(configure(instance.address, admin="127.0.0.1:0"), tmp_path) as door:
        at = door.port("admin")
        with Client(("127.0.0.1", at)) as kept:
            assert list(json.loads(kept.ask(status).body)["apps"]) == ["shop"]
            changed = configure(instance.address, admin="127.0.0.1:0", workers=2)
            changed["apps"]["blog"] = app(instance.address, domains=(OTHER,))
            assert door.reload(changed)
            seen = json.loads(kept.ask(status).body)
            assert list(seen["apps"]) == ["shop", "blog"]
            wait_for(lambda: json.loads(kept.ask(status).body)["state"] == "ready", "two workers")
            assert len(seen["workers"]) == 2
            assert door.reload(configure(instance.address, admin=f"127.0.0.1:{port}"))
            with Client(("127.0.0.1", port)) as client:
                assert client.ask(status).status == 200
            assert kept.ask(status).status == 200
        wait_for(lambda: _refuses(at), "the old address to close")
        assert door.reload(configure(instance.address))
        wait_for(lambda: _refuses(port), "the admin server to go")
        assert door.reload(configure(instance.address, admin=f"127.0.0.1:{port}"))
        with Client(("127.0.0.1", port)) as client:
            assert client.ask(status).status == 200


def _refuses(port: int, host: str = "127.0.0.1") -> bool:
    try:
        socket.create_connection((host, port), 5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_checks_follow(tmp_path: Path) -> None:
    # spec: R2, A1
    def checks() -> bool:
        return "lb: health" in map(process.title, process.children(door.pid))

    with Instance(echo("one")) as one, FrontDoor(configure(one.address), tmp_path) as door:
        assert not checks()
        changed = configure(one.address)
        changed["apps"]["blog"] = app(one.address.replace("127.0.0.1", "localhost"), domains=(OTHER,))
        with Instance(answer(ok(status="500 Internal Server Error"))) as failing:
            changed["apps"]["shop"]["production"] |= {
                "instances": [one.address, failing.address],
                "health_uri": "/",
                "health_interval": "100ms",
            }
            assert door.reload(changed)
            assert Echo(door.ask(get(host=OTHER))).instance == "one"  # by a name that was looked up
            wait_for(lambda: {door.ask(get()).status for _ in range(8)} == {200}, "the failing one to be passed over")
            before = process.children(door.pid)
            changed["apps"]["shop"]["production"]["health_interval"] = "200ms"
            assert door.reload(changed)
            assert process.children(door.pid) == before  # the one that checks goes on
            assert {door.ask(get()).status for _ in range(8)} == {200}  # and what it knows is known still
        assert door.reload(configure(one.address))
        wait_for(lambda: not checks(), "the checks to end")


def test_counters_live_on(tmp_path: Path) -> None:
    # spec: R2
    def count() -> int:
        with Client(("127.0.0.1", door.port("admin"))) as client:
            body = client.ask(message("GET /metrics", host="localhost")).body.decode()
        return int(next(line for line in body.splitlines() if line.startswith("lb_requests_total ")).split()[1])

    admin = "127.0.0.1:0"
    with Instance(echo()) as instance, FrontDoor(configure(instance.address, admin=admin), tmp_path) as door:
        asked = 0
        for workers in (3, 1, 2):
            for _ in range(10):
                assert door.ask(get()).status == 200
                asked += 1
            wait_for(lambda: count() == asked, "all to be counted")  # noqa: B023
            assert door.reload(configure(instance.address, admin=admin, workers=workers))


def _holdings(door: FrontDoor) -> list[tuple[int, int, int]]:
    """(process, bytes of memory, open files) of every process."""
    return [(pid, process.memory(pid), process.open_files(pid)) for pid in (door.pid, *door.workers)]


def test_fifty_reloads_with_a_thousand_tunnels(tmp_path: Path) -> None:
    # spec: R2
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(1000, (hard - 500) // 4)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with echoing_instance() as address:

            def config(turn: int) -> Config:
                changed = configure(address, workers=2, timeouts={"idle": 60 + turn % 7})
                changed["apps"][f"app{turn % 3}"] = app(f"127.0.0.1:{turn + 1}", domains=(f"{turn}.example.com",))
                return changed

            with FrontDoor(config(0), tmp_path) as door:
                with Tunnels(door.http, count) as tunnels, load(door, get(), clients=2) as outcomes:
                    for turn in range(10):  # what the first ones bring stays: threads' memory, Python's free lists
                        assert door.reload(config(turn))
                    held = [_holdings(door)]
                    for turn in range(10, 50):
                        assert door.reload(config(turn))
                        if turn % 10 == 9:
                            held.append(_holdings(door))
                    tunnels.check(b"still here")
                assert set(outcomes) == {"200"}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for of_it in zip(*held, strict=True):
        pids, memory, files = zip(*of_it, strict=True)
        assert len(set(pids)) == 1
        assert min(after - before for before, after in pairwise(memory)) < process.KIB**2 // 2, memory
        assert files[-1] <= files[0] + 2  # the clients' own connections come and go
