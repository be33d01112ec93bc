"""HTTPS by itself, with a real certificate authority: clauses T5 and T6."""

from __future__ import annotations

import json
import signal
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness.client import get
from tests.e2e.harness.door import FrontDoor, configure, run_lb
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.pebble import Pebble, is_missing, running_pebble
from tests.e2e.harness.scripts import Echo, echo
from tests.e2e.harness.waiting import wait_for

pytestmark = pytest.mark.skipif(bool(is_missing()), reason="no pebble here")

TEN = tuple(f"{name}.example.com" for name in ("shop", "blog", "www", "api", "stg-shop", "a", "b", "c", "d", "e"))


@pytest.fixture
def pebble(tmp_path: Path) -> Iterator[Pebble]:
    with running_pebble(tmp_path / "pebble") as running:
        yield running


def acme_config(pebble: Pebble, instance: Instance, domains: tuple[str, ...], **acme: Any) -> dict[str, Any]:
    settings = {
        "email": "ops@example.com",
        "agree_to_terms": True,
        "directory": pebble.directory,
        "ca_file": str(pebble.ca_file),
        **acme,
    }
    config = configure(
        instance.address,
        domains=domains,
        listen={"http": f"127.0.0.1:{pebble.http}", "https": f"127.0.0.1:{pebble.tls}"},
        workers=2,
        tls={"acme": settings, "store": "store"},
    )
    config["apps"]["shop"]["staging"] = {"instances": [instance.address]}
    return config


def serves(door: FrontDoor, pebble: Pebble, name: str) -> bool:
    """Whether HTTPS works for a name, with a certificate that a client believes."""
    try:
        with door.connect_tls(pebble.trust(), name) as client:
            return Echo(client.ask(get("/", host=name))).target == "/"
    except OSError:
        return False


def test_ten_domains_have_https_with_nothing_done_by_hand(pebble: Pebble, tmp_path: Path) -> None:
    # spec: T5
    with Instance(echo()) as instance, FrontDoor(acme_config(pebble, instance, TEN), tmp_path) as door:
        for name in TEN:
            wait_for(lambda name=name: serves(door, pebble, name), f"HTTPS on {name}", 60)  # type: ignore[misc]
        assert pebble.orders() == len(TEN)


@pytest.mark.parametrize("challenge", ["http-01", "tls-alpn-01"])
def test_each_way_to_prove_a_name(pebble: Pebble, tmp_path: Path, challenge: str) -> None:
    # spec: T5 T6
    with Instance(echo()) as instance:
        settings = acme_config(pebble, instance, ("shop.example.com",), challenges=[challenge])
        with FrontDoor(settings, tmp_path) as door:
            wait_for(lambda: serves(door, pebble, "shop.example.com"), "HTTPS", 60)


def test_two_front_doors_on_one_store_do_not_order_twice(pebble: Pebble, tmp_path: Path) -> None:
    # spec: T5
    with Instance(echo()) as instance:
        config = acme_config(pebble, instance, TEN)
        config["tls"]["store"] = str(tmp_path / "store")
        other = {**config, "listen": {"http": "127.0.0.1:0", "https": "127.0.0.1:0"}}
        for directory in ("one", "two"):
            (tmp_path / directory).mkdir()
        # The first one has the address that the CA connects to, and so must be there first.
        with FrontDoor(config, tmp_path / "one") as one, FrontDoor(other, tmp_path / "two") as two:
            for door in (one, two):
                for name in TEN:
                    wait_for(lambda door=door, name=name: serves(door, pebble, name), f"HTTPS on {name}", 60)  # type: ignore[misc]
    assert pebble.orders() == len(TEN)


def test_a_renewal_under_load(pebble: Pebble, tmp_path: Path) -> None:
    # spec: T5
    name, store = "shop.example.com", ("--store", str(tmp_path / "store"))
    with Instance(echo()) as instance, FrontDoor(acme_config(pebble, instance, (name,)), tmp_path) as door:
        wait_for(lambda: serves(door, pebble, name), "HTTPS", 60)
        trust = pebble.trust()
        before = serial(door, trust, name)
        with door.connect_tls(trust, name) as old, load(door, trust, name) as counts:
            assert run_lb("certs", "renew", name, *store).returncode == 0
            wait_for(lambda: serial(door, trust, name) != before, "the new certificate to be presented", 60)
            assert old.ask(get("/", host=name)).status == 200  # what was open stays open
        assert min(counts) > 5
        assert "issuer        Pebble" in run_lb("certs", "show", name, *store).stdout


def serial(door: FrontDoor, trust: ssl.SSLContext, name: str) -> str:
    with door.connect_tls(trust, name) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        found = client.sock.getpeercert()
        assert found is not None
        return str(found["serialNumber"])


@contextmanager
def load(door: FrontDoor, trust: ssl.SSLContext, name: str) -> Iterator[list[int]]:
    """Connections and requests on four threads, none of which may fail; gives how many connections each made."""
    end = threading.Event()
    counts = [0] * 4
    failures: list[BaseException] = []

    def work(place: int) -> None:
        try:
            while not end.is_set():
                with door.connect_tls(trust, name) as client:
                    for _ in range(3):
                        assert client.ask(get("/", host=name)).status == 200
                counts[place] += 1
        except BaseException as failure:  # noqa: BLE001  told below
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(counts))]
    for thread in threads:
        thread.start()
    try:
        yield counts
    finally:
        end.set()
        for thread in threads:
            thread.join()
    assert not failures


def test_a_domain_that_a_reload_adds(pebble: Pebble, tmp_path: Path) -> None:
    # spec: T5 R2
    with Instance(echo()) as instance:
        config = acme_config(pebble, instance, ("shop.example.com",))
        with FrontDoor(config, tmp_path) as door:
            wait_for(lambda: serves(door, pebble, "shop.example.com"), "HTTPS", 60)
            config["apps"]["shop"]["domains"].append("new.example.com")
            file = tmp_path / "lb.yaml"
            file.write_text(json.dumps({**json.loads(file.read_text()), "apps": config["apps"]}))
            door.signal(signal.SIGHUP)
            wait_for(lambda: serves(door, pebble, "new.example.com"), "HTTPS on the new domain", 60)
    assert pebble.orders() == 2


def test_a_wildcard_by_the_hook(pebble: Pebble, tmp_path: Path) -> None:
    # spec: T5
    hook = tmp_path / "hook"
    hook.write_text(
        f"#!{sys.executable}\n"
        "import json, sys, urllib.request\n"
        "action, name, text = sys.argv[1:]\n"
        "path = {'present': '/set-txt', 'cleanup': '/clear-txt'}[action]\n"
        f"urllib.request.urlopen({pebble.dns!r} + path, json.dumps({{'host': name, 'value': text}}).encode(), 5)\n"
    )
    hook.chmod(0o700)
    with Instance(echo()) as instance:
        settings = acme_config(pebble, instance, ("*.example.com", "shop.example.com"), dns_hook=[str(hook)])
        with FrontDoor(settings, tmp_path) as door:
            wait_for(lambda: serves(door, pebble, "any.example.com"), "HTTPS under the wildcard", 60)
            assert serves(door, pebble, "shop.example.com")
    assert pebble.orders() == 1


def test_a_private_ca_that_wants_an_account_named(tmp_path: Path) -> None:
    # spec: T5
    key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    with running_pebble(tmp_path / "pebble", binding=("kid-1", key)) as pebble, Instance(echo()) as instance:
        settings = acme_config(pebble, instance, ("shop.example.com",), eab={"kid": "kid-1", "hmac_key": key})
        with FrontDoor(settings, tmp_path) as door:
            wait_for(lambda: serves(door, pebble, "shop.example.com"), "HTTPS", 60)


@pytest.mark.parametrize("challenge", ["http-01", "tls-alpn-01"])
def test_on_demand(pebble: Pebble, tmp_path: Path, challenge: str) -> None:
    # spec: T5 D5
    asked: list[str] = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200 if "good" in self.path else 403)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Endpoint) as server, Instance(echo()) as instance:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        config = acme_config(pebble, instance, ("*.example.com",), challenges=[challenge])
        config["tls"]["on_demand"] = {"ask": f"http://127.0.0.1:{server.server_port}/ask"}
        try:
            with FrontDoor(config, tmp_path) as door:
                assert serves(door, pebble, "good.example.com")  # the first handshake waits for it
                for _ in range(3):
                    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
                        door.connect_tls(pebble.trust(), "bad.example.com")
        finally:
            server.shutdown()
            thread.join()
    assert sorted(asked) == ["/ask?domain=bad.example.com", "/ask?domain=good.example.com"]
    assert pebble.orders() == 1
