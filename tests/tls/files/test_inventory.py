"""What certificates there are, and what domains still lack."""

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
from lb.tls.files.inventory import CertificateInventory
from tests.tls.certificate_files import issue


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store")
    made.prepare()
    return made


def plan(store: Store, *domains: str, files: CertificateFiles | None = None, acme: bool = False) -> TlsPlan:
    tls: dict[str, Any] = {"store": str(store.root)}
    if files is not None:
        tls["certificates"] = [{"cert": str(files.cert), "key": str(files.key)}]
    if acme:
        tls["acme"] = {"agree_to_terms": True}
    value = {
        "listen": {"http": "127.0.0.1:0", "https": "127.0.0.1:0"},
        "tls": tls,
        "apps": {"shop": {"domains": list(domains), "production": {"instances": ["127.0.0.1:1"]}}},
    }
    return load_bytes("test", json.dumps(value).encode(), {}).plan.tls


def test_a_file_and_what_it_leaves_uncovered(store: Store, tmp_path: Path) -> None:
    # spec: T1
    files = issue(trustme.CA(), tmp_path, "a.example", "b.example")
    rows = CertificateInventory(store, plan(store, "a.example", "c.example", files=files)).rows()
    assert [(row.name, row.kind) for row in rows] == [("a.example", "file"), ("c.example", "none")]
    first, second = rows
    assert first.held is not None
    assert first.names == ("a.example", "b.example")
    assert first.is_about("b.example")
    assert not second.is_about("a.example")
    assert second.held is None


def test_what_acme_will_be_asked_for(store: Store, tmp_path: Path) -> None:
    # spec: T5
    rows = CertificateInventory(store, plan(store, "shop.example.com", acme=True)).rows()
    assert [(row.name, row.kind, row.path) for row in rows] == [("shop.example.com", "acme", None)]


def test_a_local_name_that_was_never_served(store: Store, tmp_path: Path) -> None:
    files = issue(trustme.CA(), tmp_path, "other.example")
    (local, _) = sorted(
        CertificateInventory(store, plan(store, "shop.localhost", files=files)).rows(),
        key=lambda row: row.kind != "local",
    )
    assert (local.kind, local.names, local.path) == ("local", ("shop.localhost",), None)


def test_a_store_by_itself(store: Store) -> None:
    assert CertificateInventory(store, None).rows() == []


def test_the_order_is_that_of_names_read_from_the_right(store: Store) -> None:
    rows = CertificateInventory(store, plan(store, "b.example.com", "a.example.org", "a.example.com", acme=True)).rows()
    assert [row.name for row in rows] == ["a.example.com", "b.example.com", "a.example.org"]


def test_what_was_written_just_now_has_no_stamp_yet(store: Store, tmp_path: Path) -> None:
    files = issue(trustme.CA(), tmp_path, "a.example")
    assert CertificateInventory(store, plan(store, "a.example", files=files)).stamp() is None
