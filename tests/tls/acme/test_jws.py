"""Signed requests as ACME wants them (others read them in `test_oracle`)."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from lb.tls.acme.jws import b64, bind_external, key_authorization, new_account_key, sign, thumbprint, unb64


@pytest.mark.parametrize("data", [b"", b"a", b"ab", b"abc", bytes(range(256))])
def test_base64url_without_padding(data: bytes) -> None:
    text = b64(data)
    assert not set("+/=") & set(text)
    assert unb64(text) == data


# spec: T5
def test_a_signature_is_of_header_and_payload() -> None:
    key = new_account_key()
    signed = sign(key, {"url": "https://ca.example/x"}, {"a": 1})
    raw = unb64(signed["signature"])
    assert len(raw) == 64
    signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    text = f"{signed['protected']}.{signed['payload']}".encode()
    key.public_key().verify(signature, text, ec.ECDSA(SHA256()))
    assert json.loads(unb64(signed["payload"])) == {"a": 1}
    assert sign(key, {}, None)["payload"] == ""  # POST-as-GET


# spec: T5
def test_an_account_is_named_by_its_key() -> None:
    key = new_account_key()
    assert len(unb64(thumbprint(key))) == 32
    assert key_authorization("token", key) == f"token.{thumbprint(key)}"
    assert thumbprint(key) != thumbprint(new_account_key())
    assert bind_external("kid", "a2V5", key, "u") == bind_external("kid", "a2V5", key, "u")
    assert bind_external("kid", "a2V5", key, "u") != bind_external("kid", "b3RoZXI", key, "u")
