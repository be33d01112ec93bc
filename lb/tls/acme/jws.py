"""Signed ACME requests: flattened JWS with ES256 or HS256 (RFC 8555 section 6.2, RFC 7515, 7518, 7638).

This file knows keys, JSON and signatures. It does not know HTTP, nor what is signed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

_COORDINATE = 32  # bytes of a coordinate, and of each half of a signature, on P-256

Key = ec.EllipticCurvePrivateKey


def b64(data: bytes) -> str:
    """base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The bytes of base64url without padding. Raises ValueError."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def new_account_key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def public_jwk(key: Key) -> dict[str, str]:
    """The public half as a JWK, its members in the order that a thumbprint requires."""
    numbers = key.public_key().public_numbers()
    x, y = (b64(number.to_bytes(_COORDINATE, "big")) for number in (numbers.x, numbers.y))
    return {"crv": "P-256", "kty": "EC", "x": x, "y": y}


def thumbprint(key: Key) -> str:
    """The account's identifier in challenges (RFC 7638)."""
    return b64(hashlib.sha256(json.dumps(public_jwk(key), separators=(",", ":")).encode()).digest())


def key_authorization(token: str, key: Key) -> str:
    """RFC 8555 section 8.1."""
    return f"{token}.{thumbprint(key)}"


def sign(key: Key, header: Mapping[str, Any], payload: object) -> dict[str, str]:
    """A JWS of `payload` as JSON; None is the empty payload of POST-as-GET."""
    protected, body = _parts({"alg": "ES256", **header}, payload)
    r, s = decode_dss_signature(key.sign(f"{protected}.{body}".encode(), ec.ECDSA(SHA256())))
    signature = r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big")
    return {"protected": protected, "payload": body, "signature": b64(signature)}


def bind_external(kid: str, hmac_key: str, key: Key, url: str) -> dict[str, str]:
    """The external account binding of an account's key (RFC 8555 section 7.3.4)."""
    protected, body = _parts({"alg": "HS256", "kid": kid, "url": url}, public_jwk(key))
    mac = hmac.digest(unb64(hmac_key), f"{protected}.{body}".encode(), "sha256")
    return {"protected": protected, "payload": body, "signature": b64(mac)}


def _parts(header: Mapping[str, Any], payload: object) -> tuple[str, str]:
    body = b"" if payload is None else json.dumps(payload).encode()
    return b64(json.dumps(header).encode()), b64(body)
