"""Which certificates a configuration serves, and how often its files are parsed for that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from cryptography import x509

from lb.certificates.process import covered_by
from lb.cli.check import check_certificates
from lb.config.load import Loaded, load_bytes
from lb.process.child_config import present, sources_of
from lb.tls.files import certificate
from lb.tls.files.local_ca import LocalCa
from lb.tls.files.sources import LocalSource
from lb.tls.handshake.contexts import Contexts


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The certificate files that were parsed."""
    paths: list[Path] = []
    parse: Callable[[Path, bytes], x509.Certificate] = certificate._leaf

    def counting(path: Path, data: bytes) -> x509.Certificate:
        paths.append(path)
        return parse(path, data)

    monkeypatch.setattr(certificate, "_leaf", counting)
    return paths


def loaded(directory: Path, *names: str) -> Loaded:
    """A configuration with one certificate file for each of these names, and a domain that is local."""
    ca, pairs = trustme.CA(), []
    for name in names:
        cert, leaf = directory / f"{name}.pem", ca.issue_cert(name)
        cert.write_bytes(leaf.private_key_and_cert_chain_pem.bytes())
        pairs.append(f"{{cert: {cert}, key: {cert}}}")
    text = f"listen: {{https: 127.0.0.1:0}}\ntls: {{store: {directory}/store, certificates: [{', '.join(pairs)}], "
    text += "acme: {directory: 'https://127.0.0.1:1/', agree_to_terms: true}}\n"
    text += f"apps: {{shop: {{domains: [localhost, {', '.join(names)}], production: {{instances: [127.0.0.1:1]}}}}}}"
    return load_bytes("lb.yaml", text.encode(), {})


# spec: T5
def test_a_start_parses_each_certificate_file_once(tmp_path: Path, parsed: list[Path]) -> None:
    configured, contexts = loaded(tmp_path, "a.example", "b.example"), Contexts()
    plan = configured.plan.tls
    check_certificates(configured, contexts)  # `lb serve` says what is wrong
    contexts.switch(present(contexts, plan, sources_of(contexts, plan)))  # and presents them
    shelf = contexts.presented.shelf
    assert LocalSource(plan, shelf).names == ("localhost",)  # the certificates process has a copy of both
    is_covered = covered_by(plan.settings.certificates, shelf)
    assert (is_covered("a.example"), is_covered("localhost")) == (True, False)
    assert sorted(parsed) == sorted(
        [*(pair.cert for pair in plan.settings.certificates), LocalCa(tmp_path / "store").served]
    )


# spec: T5
def test_a_reload_parses_only_what_is_new(tmp_path: Path, parsed: list[Path]) -> None:
    contexts = Contexts()
    for names in (["a.example"], ["a.example", "b.example"]):
        plan = loaded(tmp_path, *names).plan.tls
        contexts.switch(present(contexts, plan, sources_of(contexts, plan)))
        parsed.clear()
        again = sources_of(contexts, plan)
        present(contexts, plan, again)
        assert parsed == []
