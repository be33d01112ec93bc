"""The authority of this machine's own: what it vouches for, and how long."""

from __future__ import annotations

import ssl
import stat
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from lb.config.model import CertificateFiles
from lb.config.names import is_local
from lb.tls.files import local_ca as local_ca_module
from lb.tls.files.certificate import load_certificate, utc_now
from lb.tls.files.local_ca import LocalCa
from lb.tls.handshake.contexts import Contexts
from tests.tls.certificate_files import write_key
from tests.tls.handshakes import client_context, shake

NAMES = ("app.localhost", "shop.test", "127.0.0.1")


@pytest.fixture
def authority(tmp_path: Path) -> LocalCa:
    return LocalCa(tmp_path)


def trusting(authority: LocalCa) -> ssl.SSLContext:
    context = client_context()
    context.load_verify_locations(authority.root)
    context.verify_mode = ssl.CERT_REQUIRED
    context.check_hostname = True
    return context


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("localhost", True),
        ("a.b.localhost", True),
        ("*.app.test", True),
        ("shop.test", True),
        ("127.0.0.1", True),
        ("192.168.1.10", True),
        ("fd00::1", True),
        ("203.0.113.1", False),
        ("8.8.8.8", False),
        ("example.com", False),
        ("localhost.example.com", False),
        ("notlocalhost", False),
    ],
)
def test_what_is_local(name: str, local: bool) -> None:
    assert is_local(name) is local


# spec: T5
@pytest.mark.parametrize("name", NAMES)
def test_who_trusts_the_authority_trusts_its_certificate(authority: LocalCa, name: str) -> None:
    contexts = Contexts([authority.certificate(NAMES)])
    pair = shake(contexts, trusting(authority), name)
    received = pair.client.getpeercert()
    assert received is not None
    assert (ssl.cert_time_to_seconds(str(received["notAfter"])) - utc_now().timestamp()) < 8 * 86400


def test_the_keys_are_the_owners_alone(authority: LocalCa) -> None:
    files = authority.certificate(NAMES)
    for path in (files.key, authority.root.with_name("root.key")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(authority.root.stat().st_mode) == 0o644


def test_a_certificate_is_made_once_for_the_same_names(authority: LocalCa) -> None:
    before = load_certificate(authority.certificate(NAMES))
    assert load_certificate(authority.certificate(NAMES)) == before
    after = load_certificate(authority.certificate((*NAMES, "new.localhost")))
    assert after.names == {*NAMES, "new.localhost"}


# spec: T5
def test_it_is_made_anew_before_it_ends_and_the_root_stays(authority: LocalCa, monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_certificate(authority.certificate(NAMES))
    root = authority.root.read_bytes()
    for days, renewed in ((3, False), (5, True)):
        later = utc_now() + timedelta(days=days)
        monkeypatch.setattr(local_ca_module, "utc_now", lambda later=later: later)
        assert (load_certificate(authority.certificate(NAMES)) != before) is renewed
    assert authority.root.read_bytes() == root


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
@pytest.mark.parametrize("file", ["root.pem", "root.key", "local.pem"])
def test_damaged_files_are_made_anew(authority: LocalCa, file: str, damage: bytes | None) -> None:
    path = authority.root.with_name(file)
    authority.certificate(NAMES)
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
    shake(Contexts([authority.certificate(NAMES)]), trusting(authority), "shop.test")


# spec: T5
@pytest.mark.parametrize("name", ["example.com", "localhost.example.com", "8.8.8.8"])
def test_nobody_is_deceived_by_a_stolen_key(authority: LocalCa, tmp_path: Path, name: str) -> None:
    authority.ensure_root()
    loaded = authority._read_root()
    assert loaded is not None
    root_key, root = loaded
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "forged")])
    general: x509.GeneralName = x509.DNSName(name)
    if name[0].isdigit():
        general = x509.IPAddress(ip_address(name))
    forged = (
        local_ca_module._builder(subject, root.subject, key.public_key(), utc_now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([general]), critical=False)
        .sign(root_key, SHA256())
    )
    files = CertificateFiles(cert=tmp_path / "forged.pem", key=tmp_path / "forged.key")
    files.cert.write_bytes(forged.public_bytes(Encoding.PEM))
    write_key(files.key, key)
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        shake(Contexts([files]), trusting(authority), name)


def test_names_under_wildcards_are_kept_while_the_wildcard_is_bound(authority: LocalCa) -> None:
    # spec: T5
    def names(wildcards: tuple[str, ...], *more: str) -> frozenset[str]:
        return load_certificate(authority.certificate(["app.localhost"], wildcards, more)).names

    assert names(("*.test",), "shop.test") == {"app.localhost", "shop.test"}
    assert names(("*.test",), "blog.test") == {"app.localhost", "shop.test", "blog.test"}
    assert names(("*.test",)) == {"app.localhost", "shop.test", "blog.test"}
    assert names(()) == {"app.localhost"}


def test_names_under_wildcards_are_bounded(authority: LocalCa) -> None:
    # spec: T5
    authority.certificate([], ["*.test"], [f"{number}.test" for number in range(100)])
    assert len(load_certificate(authority.certificate([], ["*.test"], ["one-more.test"])).names) == 100
