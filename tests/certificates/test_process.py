"""The process that obtains certificates: it starts, says so, and ends with its supervisor, whatever a CA does."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from lb.certificates.process import CertificatesAssignment, run_certificates
from lb.config.load import load_bytes
from lb.config.plan import TlsPlan
from lb.process.channel import Line
from lb.process.verbs import Verb
from lb.tls.files.certificate_cache import CertificateCache
from lb.tls.files.watcher import CertificateWatcher
from tests.e2e.harness.waiting import wait_for


class Nothing:
    """There is nothing else to look after."""

    def look(self) -> bool:
        return False


def plan(store: Path, **tls: Any) -> TlsPlan:
    acme = {"agree_to_terms": True, "directory": "http://127.0.0.1:1/directory"}
    value = {
        "listen": {"http": "127.0.0.1:0", "https": "127.0.0.1:0"},
        "tls": {"store": str(store), "acme": acme, **tls},
        "apps": {"shop": {"domains": ["shop.example.com"], "production": {"instances": ["127.0.0.1:1"]}}},
    }
    return load_bytes("test", json.dumps(value).encode(), {}).plan.tls


@pytest.fixture(autouse=True)
def _loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process leaves its loop to its end; here that is the test's."""
    loop = asyncio.new_event_loop()
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(asyncio, "new_event_loop", lambda: loop)
    yield
    loop.close()
    signal.signal(signal.SIGTERM, before)


def run(needed: TlsPlan, until: str, say: tuple[Verb, str] | None = None) -> list[str]:
    """What the process says until this, and until its supervisor has gone."""
    ours, theirs = socket.socketpair()
    said: list[str] = []

    def heard(word: str) -> bool:
        line = lines[0]
        said.extend(f"{message.verb} {message.rest}".strip() for message in line.receive())
        return any(one.startswith(word) for one in said)

    lines = [Line(ours)]

    def supervise() -> None:
        try:
            wait_for(lambda: heard("ready"), "it to be ready")
            if say is not None:
                lines[0].send(*say)
            wait_for(lambda: heard(until), f"{until}, after {said}")
        finally:
            ours.close()

    thread = threading.Thread(target=supervise)
    thread.start()
    assignment = CertificatesAssignment(
        needed, (), (), cast("CertificateWatcher", Nothing()), lambda name: name == "ours.localhost", CertificateCache()
    )
    try:
        assert run_certificates(assignment, theirs) == 0
    finally:
        thread.join()
    return said


# spec: T5
def test_a_ca_that_cannot_be_reached_ends_nothing(tmp_path: Path) -> None:
    store = tmp_path / "store"
    run(plan(store), "ready")
    assert store.is_dir()


# spec: T7
def test_a_local_name_that_clients_miss_is_made_at_once(tmp_path: Path) -> None:
    assert "certificates" in run(plan(tmp_path / "store"), "certificates", (Verb.MISSING, "ours.localhost"))


# spec: T5
def test_a_store_that_cannot_be_made_is_said_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    run(plan(tmp_path / "file" / "store"), "ready")
    assert "certificates cannot be stored in" in caplog.text
