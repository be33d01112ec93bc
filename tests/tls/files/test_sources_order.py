"""Which certificates are presented, in the order of preference: files, the store, the local authority."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trustme

from lb.config.load import load_bytes
from lb.config.model import CertificateFiles
from lb.config.plan import TlsPlan
from lb.tls.acme.store import Store
from lb.tls.files.certificate import Certificate
from lb.tls.files.certificate_cache import CertificateCache
from lb.tls.files.sources import LocalSource, Sources, challenge_directories, handshake_policy
from tests.tls.certificate_files import issue


def plan(directory: Path, *domains: str, files: CertificateFiles | None = None, **tls: Any) -> TlsPlan:
    settings: dict[str, Any] = {"store": str(directory / "store"), **tls}
    if files is not None:
        settings["certificates"] = [{"cert": str(files.cert), "key": str(files.key)}]
    value = {
        "listen": {"http": "127.0.0.1:0", "https": "127.0.0.1:0"},
        "tls": settings,
        "apps": {"shop": {"domains": list(domains), "production": {"instances": ["127.0.0.1:1"]}}},
    }
    return load_bytes("test", json.dumps(value).encode(), {}).plan.tls


def stored(directory: Path, *names: str) -> None:
    files = issue(trustme.CA(), directory, *names)
    store = Store(directory / "store")
    store.prepare()
    (store.root / "certificates" / f"{names[0]}.pem").write_bytes(files.key.read_bytes() + files.cert.read_bytes())


# spec: T1, T5
def test_files_come_before_the_store(tmp_path: Path) -> None:
    stored(tmp_path, "a.example")
    files = issue(trustme.CA(), tmp_path, "a.example")
    found = Sources(plan(tmp_path, "a.example", files=files), CertificateCache())()
    assert found[0] == files
    assert isinstance(found[1], Certificate)
    assert len(found) == 2


# spec: T5
def test_what_no_bound_name_needs_stays_in_the_store(tmp_path: Path) -> None:
    stored(tmp_path, "b.example")
    files = issue(trustme.CA(), tmp_path, "a.example")
    assert list(Sources(plan(tmp_path, "a.example", files=files), CertificateCache()).more()) == []


def test_a_local_name_gets_one_of_the_local_authority(tmp_path: Path) -> None:
    made = plan(tmp_path, "shop.localhost", "a.example", acme={"agree_to_terms": True})
    source = LocalSource(made, CertificateCache())
    assert source.names == ("shop.localhost",)
    (files,) = source.files()
    assert files.cert.exists()
    assert list(Sources(made, CertificateCache()).more()) == [files]


def test_a_local_name_that_a_file_covers_needs_none(tmp_path: Path) -> None:
    files = issue(trustme.CA(), tmp_path, "shop.localhost")
    assert LocalSource(plan(tmp_path, "shop.localhost", files=files), CertificateCache()).files() == ()


# spec: T6
def test_where_answers_to_http_01_are(tmp_path: Path) -> None:
    own = Store(tmp_path / "store").challenges
    files = issue(trustme.CA(), tmp_path, "a.example")
    assert challenge_directories(plan(tmp_path, "a.example", files=files).settings) == ()
    both = plan(tmp_path, "a.example", acme={"agree_to_terms": True}, challenges=str(tmp_path))
    assert challenge_directories(both.settings) == (own, tmp_path)


# spec: T5
@pytest.mark.parametrize(("challenges", "answers"), [("http-01", False), ("tls-alpn-01", True)])
def test_what_handshakes_answer(tmp_path: Path, challenges: str, answers: bool) -> None:
    made = plan(tmp_path, "a.example", acme={"agree_to_terms": True, "challenges": challenges})
    assert (handshake_policy(made).challenges is not None) is answers
