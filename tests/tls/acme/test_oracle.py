"""Keys, signatures and names that a CA gets from us, read by others: josepy (certbot's), the examples of RFCs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from josepy.jwk import JWK, JWKEC, JWKOct
from josepy.jws import JWS
from josepy.util import ComparableECKey

from lb.tls.acme.certificate_info import held_of
from lb.tls.acme.challenge import IDENTIFIER, Proof, alpn_certificate
from lb.tls.acme.jws import (
    Key,
    b64,
    bind_external,
    key_authorization,
    new_account_key,
    public_jwk,
    sign,
    thumbprint,
    unb64,
)
from lb.tls.acme.store import ACCOUNT_KEY
from tests.tls.acme.server import FakeCa
from tests.tls.acme.world import World

URL = "https://ca.example/acme/new-account"
TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
# RFC 7515 appendix A.3: an EC key and a signature that was made with it.
X, Y = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
D = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"


def scalar(number: int) -> Key:
    return ec.derive_private_key(number, ec.SECP256R1())


def short_keys() -> Iterator[Key]:
    """Keys whose coordinates begin with a zero byte, which has to stay (RFC 7518 section 6.2.1.2)."""
    for axis in ("x", "y"):
        keys = (scalar(number) for number in range(1, 100_000))
        yield next(key for key in keys if getattr(key.public_key().public_numbers(), axis) >> 248 == 0)


KEYS = [scalar(int.from_bytes(unb64(D), "big")), *short_keys(), *(new_account_key() for _ in range(5))]


def theirs(key: Key) -> JWKEC:
    return JWKEC(key=ComparableECKey(key.public_key()))


def read_key(jwk: dict[str, str]) -> JWK:
    found = JWK.from_json(jwk)
    assert isinstance(found, JWK)
    return found


def verified(jws: dict[str, str], key: JWK) -> tuple[dict[str, Any], bytes]:
    """Header and payload, if the signature is right."""
    found = JWS.from_json(jws)
    assert found.verify(key)
    payload: bytes = found.payload
    return json.loads(unb64(jws["protected"])), payload


def test_the_example_of_rfc_7515() -> None:
    assert public_jwk(KEYS[0]) == {"crv": "P-256", "kty": "EC", "x": X, "y": Y}


@pytest.mark.parametrize("key", KEYS)
def test_keys_and_thumbprints_are_those_of_others(key: Key) -> None:
    # spec: T5
    known = theirs(key)
    assert public_jwk(key) == known.to_partial_json() | {"kty": "EC"}
    assert JWK.from_json(public_jwk(key)) == known
    assert thumbprint(key) == b64(known.thumbprint(hash_function=SHA256))
    assert key_authorization(TOKEN, key) == f"{TOKEN}.{thumbprint(key)}"


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("payload", [None, {}, {"contact": ["mailto:ü@example.com"]}])
def test_signatures_are_believed_by_others(key: Key, payload: object) -> None:
    # spec: T5
    header, body = verified(sign(key, {"nonce": "abc", "url": URL, "kid": f"{URL}/1"}, payload), theirs(key))
    assert header == {"alg": "ES256", "nonce": "abc", "url": URL, "kid": f"{URL}/1"}
    assert body == b"" if payload is None else json.loads(body) == payload
    jws = sign(key, {"url": URL}, payload)
    assert not JWS.from_json(jws).verify(theirs(new_account_key()))


@pytest.mark.parametrize("secret", [b"\x00" * 32, b"\xfb\xff" * 24, b"k"])
def test_an_external_account_binding_is_believed_by_others(secret: bytes) -> None:
    # spec: T5
    key = KEYS[1]
    bound = bind_external("kid-1", b64(secret), key, URL)
    header, payload = verified(bound, JWKOct(key=secret))
    assert header == {"alg": "HS256", "kid": "kid-1", "url": URL}
    assert JWK.from_json(json.loads(payload)) == theirs(key)


def test_what_answers_tls_alpn_01_is_what_rfc_8737_says() -> None:
    # spec: T5
    authorization = key_authorization(TOKEN, KEYS[0])
    pem = alpn_certificate(Proof("tls-alpn-01", "shop.example.com", TOKEN, authorization, URL))
    certificate = x509.load_pem_x509_certificate(pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [(type(name), name.value) for name in names] == [(x509.DNSName, "shop.example.com")]
    found = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31"))
    assert found.critical
    assert found.oid == IDENTIFIER
    # ASN.1's DER of an OCTET STRING: its tag, a length of 32, the SHA-256 digest.
    assert isinstance(found.value, x509.UnrecognizedExtension)
    assert found.value.value == bytes([4, 32]) + hashlib.sha256(authorization.encode()).digest()


def test_the_example_of_rfc_9773() -> None:
    # spec: T5
    identifier = bytes.fromhex("69885B6B87464041E1B37B847BA0AE2CDE01C8D4")
    name, now = x509.Name([]), datetime.now(UTC)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEYS[0].public_key())
        .serial_number(0x87654321)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.AuthorityKeyIdentifier(identifier, None, None), critical=False)
        .sign(KEYS[0], SHA256())
    )
    read_again = x509.load_der_x509_certificate(leaf.public_bytes(Encoding.DER))
    assert held_of(read_again, "").ari == "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"


class Read:
    """Every request to the fake CA, verified once more by josepy."""

    def __init__(self) -> None:
        self.headers: list[dict[str, Any]] = []

    def open(self, ca: FakeCa, jws: dict[str, str], jwk: dict[str, str]) -> None:
        key = read_key(jwk)
        header, payload = verified(jws, key)
        self.headers.append(header)
        if header["url"].endswith("/keyChange") and "nonce" in header:
            inner, change = verified(json.loads(payload), read_key(self._jwk_inside(payload)))
            assert sorted(inner) == ["alg", "jwk", "url"]  # RFC 8555 section 7.3.5: no nonce
            assert inner["url"] == header["url"]
            assert JWK.from_json(json.loads(change)["oldKey"]) == key
            assert json.loads(change)["account"] == header["kid"]
        assert ("jwk" in header) != ("kid" in header)
        assert ca.base in header["url"]

    def _jwk_inside(self, payload: bytes) -> dict[str, str]:
        found: dict[str, str] = json.loads(unb64(json.loads(payload)["protected"]))["jwk"]
        return found


async def test_a_whole_dialogue_is_understood_by_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # spec: T5
    read, opened = Read(), FakeCa._open

    def open_twice(ca: FakeCa, jws: dict[str, str], url: str) -> tuple[dict[str, Any], Any, dict[str, str], str]:
        found = opened(ca, jws, url)
        read.open(ca, jws, found[2])
        return found

    monkeypatch.setattr(FakeCa, "_open", open_twice)
    await world.add_ca()
    async with world.manager("shop.example.com") as manager:
        await world.run(manager, 10)
        world.store.ask_for(ACCOUNT_KEY)
        await world.run(manager, 10)
    assert world.held("shop.example.com") is not None
    kinds = {header["url"].rpartition("/")[2] for header in read.headers}
    assert {"newAccount", "newOrder", "keyChange"} <= kinds
