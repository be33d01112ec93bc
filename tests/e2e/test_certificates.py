"""Certificates that are replaced while the front door runs: clauses T4 and T5."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST, Client, get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import echo
from tests.e2e.harness.waiting import wait_for


@dataclass(frozen=True, slots=True)
class Replaceable:
    door: FrontDoor
    authority: Authority
    pair: dict[str, str]

    def replace(self, new: dict[str, str]) -> None:
        """As an ACME client does it: one file after the other, each in place at once, with the old one's time."""
        for key in ("cert", "key"):
            target = Path(self.pair[key])
            before = target.stat()
            aside = target.with_name("aside")
            shutil.copyfile(new[key], aside)
            os.utime(aside, ns=(before.st_atime_ns, before.st_mtime_ns))
            aside.replace(target)

    def names(self) -> set[str]:
        """Of the certificates that some connections, to whichever worker, are presented."""
        found = set()
        for _ in range(6):
            with self.door.connect_tls(self.authority.context(), HOST) as client:
                assert isinstance(client.sock, ssl.SSLSocket)
                certificate = client.sock.getpeercert()
                assert certificate is not None
                found |= {str(entry[1]) for entry in certificate["subjectAltName"]}
        return found


@pytest.fixture
def replaceable(tmp_path: Path, authority: Authority) -> Iterator[Replaceable]:
    pair = authority.issue(HOST)
    own = {key: shutil.copyfile(path, tmp_path / f"own.{key}") for key, path in pair.items()}
    pair = {key: str(path) for key, path in own.items()}
    with Instance(echo()) as instance:
        config = configure(instance.address, listen={"https": "127.0.0.1:0"}, workers=2, tls=tls_config(pair))
        with FrontDoor(config, tmp_path) as door:
            yield Replaceable(door, authority, pair)


def test_a_replaced_certificate_is_presented_without_a_reload(replaceable: Replaceable) -> None:
    # spec: T5, T4
    session, client = _resumable(replaceable)
    replaceable.replace(replaceable.authority.issue(HOST, "new.example.com"))
    wait_for(lambda: replaceable.names() == {HOST, "new.example.com"}, "the new certificate")
    assert any("was replaced" in line and "new.example.com" in line for line in replaceable.door.stderr)
    assert client.ask(get()).status == 200  # a connection from before goes on
    client.close()
    with replaceable.door.connect_tls(session.context, HOST, session.session) as again:
        assert isinstance(again.sock, ssl.SSLSocket)
        assert again.sock.session_reused


def test_a_worker_that_takes_anothers_place_presents_what_there_is_by_now(replaceable: Replaceable) -> None:
    # spec: T5, R3
    replaceable.replace(replaceable.authority.issue(HOST, "new.example.com"))
    wait_for(lambda: replaceable.names() == {HOST, "new.example.com"}, "the new certificate")
    before = replaceable.door.workers
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(set(replaceable.door.workers) - set(before)) == 2, "new workers")
    wait_for(lambda: replaceable.names() == {HOST, "new.example.com"}, "the new certificate")


def test_a_key_without_its_certificate_is_told_of_and_not_used(replaceable: Replaceable) -> None:
    # spec: T5
    other = replaceable.authority.issue(HOST, "new.example.com")
    shutil.copyfile(other["key"], replaceable.pair["key"])
    reason = "not the key of the first certificate"
    wait_for(lambda: any(reason in line for line in replaceable.door.stderr), "the reason")
    assert replaceable.names() == {HOST}
    shutil.copyfile(other["cert"], replaceable.pair["cert"])
    wait_for(lambda: replaceable.names() == {HOST, "new.example.com"}, "the new certificate")


@dataclass(frozen=True, slots=True)
class _Session:
    context: ssl.SSLContext
    session: ssl.SSLSession | None


def _resumable(replaceable: Replaceable) -> tuple[_Session, Client]:
    context = replaceable.authority.context()
    client = replaceable.door.connect_tls(context, HOST)
    assert isinstance(client.sock, ssl.SSLSocket)
    assert client.ask(get()).status == 200  # the ticket has come with it
    return _Session(context, client.sock.session), client
