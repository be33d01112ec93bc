"""A throw-away certificate authority, its certificates as files, and client contexts that trust it."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import trustme


class Authority:
    """One CA for a test session."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ca = trustme.CA()
        self._count = 0

    def issue(self, *names: str) -> dict[str, str]:
        """A certificate for the names, as an entry of `tls.certificates`."""
        self._count += 1
        cert, key = self._directory / f"{self._count}.pem", self._directory / f"{self._count}.key"
        leaf = self._ca.issue_cert(*names)
        for blob in leaf.cert_chain_pems:
            blob.write_to_path(cert, append=True)
        leaf.private_key_pem.write_to_path(key)
        key.chmod(0o600)
        return {"cert": str(cert), "key": str(key)}

    def last_issued(self) -> str:
        """The certificate that was issued last, in PEM form, without its chain."""
        text = (self._directory / f"{self._count}.pem").read_text()
        return text[: text.index("-----END CERTIFICATE-----")] + "-----END CERTIFICATE-----\n"

    def write_root(self, name: str) -> str:
        """The CA's own certificate as a file: its path."""
        path = self._directory / name
        self._ca.cert_pem.write_to_path(path)
        return str(path)

    def context(
        self,
        *,
        version: ssl.TLSVersion | None = None,
        alpn: tuple[str, ...] = ("http/1.1",),
        check_name: bool = True,
    ) -> ssl.SSLContext:
        """A client's context: trusts the CA, offers `alpn`, speaks only `version` when given."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._ca.configure_trust(context)
        context.check_hostname = check_name
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if version is not None:
            context.minimum_version = version
            context.maximum_version = version
        return context


def tls_config(*certificates: dict[str, str], **more: Any) -> dict[str, Any]:
    """The `tls` part of a configuration."""
    return {"certificates": list(certificates), **more}
