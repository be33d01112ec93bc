"""Proofs that a name is ours: which one is taken, and how it is put in place and away again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from lb.tls.acme.challenge import Proof, alpn_certificate, choose, present, withdraw
from lb.tls.acme.errors import AcmeError, Kind
from lb.tls.acme.jws import b64, key_authorization, new_account_key
from lb.tls.acme.store import Store

KEY = new_account_key()


def offer(*types: str, token: object = "token_-1") -> list[dict[str, Any]]:
    return [{"type": one, "token": token, "url": f"https://ca.example/{one}"} for one in types]


# spec: T5
def test_after_a_failure_another_proof_is_tried() -> None:
    both, types = offer("dns-01", "tls-alpn-01", "http-01"), ("http-01", "tls-alpn-01")
    found = [choose("a.example", both, types, turn, KEY) for turn in range(3)]  # type: ignore[arg-type]
    assert [proof.type for proof in found] == ["http-01", "tls-alpn-01", "http-01"]
    assert found[0].authorization == key_authorization("token_-1", KEY)
    assert found[0].url == "https://ca.example/http-01"


# spec: T5
@pytest.mark.parametrize(
    ("name", "offered", "words"),
    [("a.example", offer("dns-01"), "tls.acme.challenges"), ("*.a.example", offer("dns-01"), "tls.acme.dns_hook")],
)
def test_where_none_is_possible_it_is_said_what_to_do(name: str, offered: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(AcmeError, match=words) as caught:
        choose(name, offered, ("http-01",), 0, KEY)
    assert caught.value.kind is Kind.REFUSED


@pytest.mark.parametrize("token", ["", "../x", None, "a b"])
def test_a_token_becomes_the_name_of_a_file_and_is_looked_at(token: object) -> None:
    with pytest.raises(AcmeError, match="cannot be understood"):
        choose("a.example", offer("http-01", token=token), ("http-01",), 0, KEY)


# spec: T5, T6
async def test_http_01_is_a_file_in_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.prepare()
    proof = Proof("http-01", "a.example", "token", "token.key", "")
    await present(store, proof, ())
    path = store.challenges / "token"
    assert path.read_text() == "token.key"
    await withdraw(store, proof, ())
    assert not path.exists()


# spec: T5
async def test_tls_alpn_01_is_a_certificate_in_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.prepare()
    proof = Proof("tls-alpn-01", "a.example", "token", "token.key", "")
    await present(store, proof, ())
    (path,) = store.challenges.iterdir()
    assert b"PRIVATE KEY" in path.read_bytes()
    await withdraw(store, proof, ())
    assert not path.exists()
    assert b"CERTIFICATE" in alpn_certificate(proof)


# spec: T5
async def test_dns_01_is_the_operators_command(tmp_path: Path) -> None:
    said = tmp_path / "said"
    code = f"import sys; open({str(said)!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')"
    hook = (sys.executable, "-c", code)
    proof = Proof("dns-01", "*.a.example", "token", "token.key", "")
    store = Store(tmp_path / "store")
    await present(store, proof, hook)
    await withdraw(store, proof, hook)
    record, text = "_acme-challenge.a.example.", b64(proof.digest)
    assert said.read_text().splitlines() == [f"present {record} {text}", f"cleanup {record} {text}"]


# spec: E3
@pytest.mark.parametrize(
    ("hook", "words"),
    [
        ((), "needs tls.acme.dns_hook"),
        (("/nonexistent/hook",), "cannot be run: No such file"),
        ((sys.executable, "-c", "import sys; sys.exit('no such zone')"), "ended with status 1: no such zone"),
        ((sys.executable, "-c", "import sys; sys.exit(3)"), "ended with status 3: it printed no error"),
    ],
)
async def test_a_command_that_fails_says_why(tmp_path: Path, hook: tuple[str, ...], words: str) -> None:
    with pytest.raises(AcmeError, match=words) as caught:
        await present(Store(tmp_path), Proof("dns-01", "a.example", "token", "token.key", ""), hook)
    assert caught.value.kind is Kind.HERE
