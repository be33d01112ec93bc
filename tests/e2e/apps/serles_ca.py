"""serles-acme with a backend that keeps a request's names, and for which every name is this machine.

Run by gunicorn in serles' own environment, so it imports nothing of this one. HTTP_PORT says where proofs are looked
for instead of at port 80.
"""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

_NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Serles Test CA")])
_look_up = socket.getaddrinfo


def _here(host: Any, port: Any, *more: Any, **options: Any) -> Any:
    if str(port) == "80":
        host, port = "127.0.0.1", int(os.environ["HTTP_PORT"])
    return _look_up(host, port, *more, **options)


socket.getaddrinfo = _here


class Backend:
    """Signs whatever has been proved."""

    def __init__(self, _: Any) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        basic = x509.BasicConstraints(ca=True, path_length=None)
        self._root = self._builder(_NAME, self._key.public_key()).add_extension(basic, critical=True)
        self._certificate = self._root.sign(self._key, SHA256())
        Path(os.environ["ROOT_FILE"]).write_bytes(self._certificate.public_bytes(Encoding.PEM))

    def sign(self, csr: bytes, _dn: str, _names: list[str], _email: str) -> tuple[str, None]:
        """serles' interface: the chain in PEM form, and no error."""
        request = x509.load_pem_x509_csr(csr)
        alternatives = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        builder = self._builder(x509.Name([]), request.public_key())
        leaf = builder.add_extension(alternatives, critical=True).sign(self._key, SHA256())
        return (leaf.public_bytes(Encoding.PEM) + self._certificate.public_bytes(Encoding.PEM)).decode(), None

    def _builder(self, subject: x509.Name, key: Any) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(_NAME)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=30))
        )
