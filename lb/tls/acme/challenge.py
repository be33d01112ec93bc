"""Proofs that a name is ours: HTTP-01 and DNS-01 (RFC 8555 section 8), TLS-ALPN-01 (RFC 8737).

This file knows what each proof consists of and how it is put in place and removed. The workers serve the first and the
last from the store; the operator's hook command makes DNS records.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lb.config.acme import ChallengeType
from lb.tls.acme.errors import AcmeError, Kind
from lb.tls.acme.jws import Key, b64, key_authorization
from lb.tls.acme.store import Store, stem

ALPN = "acme-tls/1"
IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")  # id-pe-acmeIdentifier, RFC 8737 section 6.1
_HOOK_TIMEOUT = 300.0  # seconds: the hook ends when the record is visible, and the DNS is slow
_TOKEN_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@dataclass(frozen=True, slots=True)
class Proof:
    """What a challenge requires; `url` is where the CA is told that it is ready."""

    type: ChallengeType
    name: str
    token: str
    authorization: str
    url: str

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.authorization.encode()).digest()

    @property
    def record(self) -> str:
        """The TXT record's name for DNS-01, with its final dot; a wildcard is proved like the name after its star."""
        return f"_acme-challenge.{self.name.removeprefix('*.')}."


def choose(
    name: str, challenges: Sequence[Mapping[str, Any]], types: Sequence[ChallengeType], turn: int, key: Key
) -> Proof:
    """The challenge to use of those that the CA offers: the first type that we support; after `turn` failures, another.

    Raises AcmeError if there is none.
    """
    offered = {one.get("type"): one for one in challenges}
    possible = [one for one in types if one in offered]
    if not possible:
        wanted = ", ".join(sorted(str(one) for one in offered))
        why = "wildcards need tls.acme.dns_hook" if name.startswith("*.") else "see tls.acme.challenges"
        raise AcmeError(Kind.REFUSED, f"{name}: the CA offers {wanted}, none of which is possible here; {why}")
    kind = possible[turn % len(possible)]
    token, url = offered[kind].get("token"), offered[kind].get("url")
    if not isinstance(token, str) or not isinstance(url, str) or not token or not _TOKEN_CHARACTERS.issuperset(token):
        raise AcmeError(Kind.UNREACHABLE, f"{name}: the CA's {kind} challenge cannot be understood")
    return Proof(kind, name, token, key_authorization(token, key), url)


async def present(store: Store, proof: Proof, hook: Sequence[str]) -> None:
    """Put the proof where the CA will look. Raises AcmeError and OSError."""
    if proof.type == "http-01":
        store.put_answer(proof.token, proof.authorization)
    elif proof.type == "tls-alpn-01":
        store.put_alpn(proof.name, alpn_certificate(proof))
    else:
        await _run_hook(hook, "present", proof)


async def withdraw(store: Store, proof: Proof, hook: Sequence[str]) -> None:
    """Remove the proof. Raises AcmeError and OSError."""
    if proof.type == "http-01":
        store.drop_answer(proof.token)
    elif proof.type == "tls-alpn-01":
        store.drop_answer(f"{stem(proof.name)}.alpn")
    else:
        await _run_hook(hook, "cleanup", proof)


def alpn_certificate(proof: Proof) -> bytes:
    """Key and self-signed certificate of RFC 8737 section 3, in PEM form."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ACME challenge")])
    now = datetime.now(UTC)
    octets = b"\x04\x20" + proof.digest  # an OCTET STRING of 32 bytes
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=7))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(proof.name)]), critical=False)
        .add_extension(x509.UnrecognizedExtension(IDENTIFIER, octets), critical=True)
        .sign(key, SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem + certificate.public_bytes(Encoding.PEM)


async def _run_hook(hook: Sequence[str], action: str, proof: Proof) -> None:
    """Run `COMMAND action NAME TEXT`, as lego's exec provider does; if it fails, its last line on stderr says why."""
    if not hook:
        raise AcmeError(Kind.HERE, f"{proof.name}: dns-01 needs tls.acme.dns_hook")
    text = b64(proof.digest)
    environ = {**os.environ, "LB_DOMAIN": proof.name, "LB_RECORD": proof.record, "LB_TEXT": text}
    try:
        process = await asyncio.create_subprocess_exec(
            *hook,
            action,
            proof.record,
            text,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=environ,
            start_new_session=True,
        )
    except OSError as error:
        raise AcmeError(Kind.HERE, f"dns_hook {hook[0]} cannot be run: {error.strerror}") from error
    try:
        _, said = await asyncio.wait_for(process.communicate(), _HOOK_TIMEOUT)
    except TimeoutError:
        raise AcmeError(
            Kind.HERE, f"{proof.name}: dns_hook {action} did not finish within {_HOOK_TIMEOUT:.0f} s"
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        lines = said.decode(errors="replace").strip().splitlines()
        reason = f"{lines[-1][:200]}" if lines else "it printed no error"
        raise AcmeError(Kind.HERE, f"{proof.name}: dns_hook {action} ended with status {process.returncode}: {reason}")
