"""A scrape of certificates' figures: the store is read when something in it has changed, and not each time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import trustme

from lb.certificates.metrics import CertificateMetrics
from lb.config.load import load_bytes
from lb.config.model import CertificateFiles
from lb.config.plan import TlsPlan
from lb.tls.acme.store import Store
from lb.tls.files.certificate import Certificate, TlsError, TlsProblem
from lb.tls.files.certificate_cache import CertificateCache
from lb.tls.files.inventory import CertificateInventory, CertificateRow

NAME, OTHER = "shop.example.com", "blog.example.com"


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def store(tmp_path: Path, ca: trustme.CA) -> Store:
    made = Store(tmp_path / "store")
    made.prepare()
    install(made, ca, NAME)
    return made


def install(store: Store, ca: trustme.CA, name: str) -> None:
    leaf = ca.issue_cert(name)
    store.install(name, leaf.private_key_pem.bytes(), leaf.cert_chain_pems[0].bytes())


def configuration(store: Store, more: str = "") -> TlsPlan:
    text = f"listen: {{https: 127.0.0.1:0}}\ntls: {{store: {store.root}{more}}}\n"
    text += f"apps: {{shop: {{domains: [{NAME}, {OTHER}], production: {{instances: 127.0.0.1:1}}}}}}\n"
    return load_bytes("lb.yaml", text.encode(), {}).plan.tls


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many certificates each look at all of them found; as if everything had been written long ago."""
    found: list[int] = []
    rows = CertificateInventory.rows

    def counting(self: CertificateInventory) -> list[CertificateRow]:
        listed = rows(self)
        found.append(sum(row.kind != "none" for row in listed))
        return listed

    monkeypatch.setattr(CertificateInventory, "rows", counting)
    now = time.time_ns()
    monkeypatch.setattr("lb.tls.files.file_stamp.time.time_ns", lambda: now + 10_000_000_000)
    return found


# spec: T5
def test_a_scrape_looks_at_certificates_when_one_has_come_or_gone(
    store: Store, ca: trustme.CA, looks: list[int]
) -> None:
    metrics, config = CertificateMetrics(CertificateCache()), configuration(store)
    first = metrics.render(config)
    assert b'lb_certificates{source="store"} 1\n' in first
    assert [metrics.render(config) for _ in range(3)] == [first] * 3
    assert looks == [1]
    install(store, ca, OTHER)
    assert b'lb_certificates{source="store"} 2\n' in metrics.render(config)
    store.certificate_path(NAME).unlink()
    assert NAME.encode() not in metrics.render(config)
    assert looks == [1, 2, 1]


# spec: T5
def test_what_was_read_before_is_not_read_again(
    store: Store, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf, path = CertificateCache(), str(store.certificate_path(NAME))
    shelf.read(path, path)

    def unreadable(files: CertificateFiles, known: Certificate | None) -> Certificate:
        raise TlsError([TlsProblem(files.cert, "it may not be read now")])

    monkeypatch.setattr("lb.tls.files.certificate_cache.load_certificate", unreadable)
    assert b'lb_certificates{source="store"} 1\n' in CertificateMetrics(shelf).render(configuration(store))
    assert looks == [1]


# spec: T5
def test_a_sign_of_life_is_no_change_and_another_intention_is(store: Store, looks: list[int]) -> None:
    acme = ", acme: {directory: 'https://127.0.0.1:1/directory', agree_to_terms: true}"
    metrics, config = CertificateMetrics(CertificateCache()), configuration(store, acme)
    plan = {"name": NAME, "names": [NAME], "next_attempt": 1_900_000_000, "failures": 0}
    store.save_status({"certificates": [plan]})
    assert b"1900000000" in metrics.render(config)
    store.show_life()
    metrics.render(config)
    assert len(looks) == 1
    store.save_status({"certificates": [{**plan, "next_attempt": 1_900_000_001}]})
    assert b"1900000001" in metrics.render(config)


# spec: T5
def test_files_and_the_configuration_count(store: Store, ca: trustme.CA, tmp_path: Path, looks: list[int]) -> None:
    leaf, other = ca.issue_cert(NAME), ca.issue_cert(OTHER)
    cert, key = tmp_path / "a.pem", tmp_path / "a.key"
    cert.write_bytes(leaf.cert_chain_pems[0].bytes())
    key.write_bytes(leaf.private_key_pem.bytes())
    metrics, config = (
        CertificateMetrics(CertificateCache()),
        configuration(store, f", certificates: [{{cert: {cert}, key: {key}}}]"),
    )
    assert b'{name="shop.example.com",source="file"}' in metrics.render(config)
    cert.write_bytes(other.cert_chain_pems[0].bytes())
    key.write_bytes(other.private_key_pem.bytes())
    assert b'{name="blog.example.com",source="file"}' in metrics.render(config)
    assert b'source="file"' not in metrics.render(configuration(store))
    assert len(looks) == 3


# spec: T5
def test_what_was_written_just_now_is_looked_at_again(
    store: Store, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = (store.root / "certificates").stat().st_mtime_ns
    monkeypatch.setattr("lb.tls.files.file_stamp.time.time_ns", lambda: written + 500_000_000)
    metrics, config = CertificateMetrics(CertificateCache()), configuration(store)
    metrics.render(config)
    metrics.render(config)
    assert len(looks) == 2
