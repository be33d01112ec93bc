"""A store of certificates that nobody fills by itself: what is in it is presented all the same. Clause T5."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from lb.config.model import CertificateFiles
from lb.tls.acme.certificate_info import clean_parts
from lb.tls.acme.store import Store
from lb.tls.files.certificate import load_certificate
from tests.e2e.harness.certificates import Authority
from tests.e2e.harness.client import HOST, get
from tests.e2e.harness.door import Config, FrontDoor, configure, run_lb
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import echo
from tests.e2e.harness.waiting import wait_for

OTHER = "blog.example.com"


def install(directory: Path, pair: dict[str, str], name: str) -> None:
    store = Store(directory / "store")
    store.prepare()
    found = load_certificate(CertificateFiles(cert=Path(pair["cert"]), key=Path(pair["key"])))
    store.install(name, *clean_parts(found.key, found.chain))


def configuration(address: str, **tls: object) -> Config:
    return configure(address, domains=(HOST, OTHER), listen={"https": "127.0.0.1:0"}, tls={"store": "store", **tls})


def works(door: FrontDoor, authority: Authority, name: str) -> bool:
    try:
        with door.connect_tls(authority.context(), name) as client:
            return client.ask(get(host=name)).status == 200
    except (ssl.SSLError, ConnectionError):
        return False


def test_an_imported_certificate_is_presented_without_acme_and_without_a_reload(
    tmp_path: Path, authority: Authority
) -> None:
    # spec: T5
    install(tmp_path, authority.issue(HOST), HOST)
    with Instance(echo()) as instance, FrontDoor(configuration(instance.address), tmp_path) as door:
        assert works(door, authority, HOST)
        assert not works(door, authority, OTHER)
        pair = authority.issue(OTHER)
        said = run_lb("certs", "import", pair["cert"], pair["key"], "-c", "lb.yaml", cwd=tmp_path)
        assert said.returncode == 0, said.stderr
        wait_for(lambda: works(door, authority, OTHER), "the imported certificate")
        assert works(door, authority, HOST)


def test_what_acme_obtained_is_presented_still_when_acme_is_taken_out(tmp_path: Path, authority: Authority) -> None:
    # spec: T5
    install(tmp_path, authority.issue(HOST), HOST)
    acme = {"acme": {"directory": "https://127.0.0.1:1/directory", "agree_to_terms": True}}
    with Instance(echo()) as instance, FrontDoor(configuration(instance.address, **acme), tmp_path) as door:
        assert works(door, authority, HOST)
        door.write(configuration(instance.address))
        said = run_lb("reload", "lb.yaml", cwd=tmp_path)
        assert said.returncode == 0, said.stderr
        assert works(door, authority, HOST)
        wait_for(lambda: any("nothing renews them" in line for line in door.stderr), "the warning")


def test_check_says_which_files_of_a_store_cannot_be_used(tmp_path: Path, authority: Authority) -> None:
    # spec: R1, T5
    install(tmp_path, authority.issue(HOST), HOST)
    broken = tmp_path / "store" / "certificates" / f"{OTHER}.pem"
    broken.write_bytes(broken.with_name(f"{HOST}.pem").read_bytes()[:300])
    (tmp_path / "lb.yaml").write_text(
        "listen: {https: 127.0.0.1:0}\ntls: {store: store}\n"
        f"apps: {{shop: {{domains: [{HOST}], production: {{instances: 127.0.0.1:1}}}}}}\n"
    )
    said = run_lb("check", "lb.yaml", cwd=tmp_path)
    assert said.returncode == 0
    assert f"store/certificates/{OTHER}.pem: not a certificate in PEM form; it is not presented" in said.stderr
    assert "lb certs import" in said.stderr


@pytest.mark.parametrize(
    ("filled", "words"),
    [
        (True, ("certificates of the store are presented, and nothing renews them", f"that of {HOST} on ")),
        (False, ("the store store has no certificate for a bound domain: HTTPS fails until it has",)),
    ],
)
def test_check_says_what_a_store_without_acme_means(
    tmp_path: Path, authority: Authority, filled: bool, words: tuple[str, ...]
) -> None:
    # spec: R1, T5
    if filled:
        install(tmp_path, authority.issue(HOST), HOST)
    (tmp_path / "lb.yaml").write_text(
        "listen: {https: 127.0.0.1:0}\ntls: {store: store}\n"
        f"apps: {{shop: {{domains: [{HOST}], production: {{instances: 127.0.0.1:1}}}}}}\n"
    )
    said = run_lb("check", "lb.yaml", cwd=tmp_path)
    assert said.returncode == 0
    for part in words:
        assert part in said.stderr
