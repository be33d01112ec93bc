"""OpenSSL's words about a failed connection → causes and details."""

from __future__ import annotations

import pytest

from lb.errors import CAUSES
from lb.proxy.upstream.tls_faults import tls_fault


# spec: E2 E3
@pytest.mark.parametrize(
    ("failure", "cause", "detail"),
    [
        (("certificate has expired", "certificate verify failed"), "tls_certificate_error", "certificate has expired"),
        (
            ("Hostname mismatch, certificate is not valid for 'app.internal'.", "certificate verify failed"),
            "tls_certificate_error",
            "hostname mismatch",
        ),
        (("self-signed certificate", "wrong version number"), "tls_protocol_error", "the instance does not speak TLS"),
        (("ok", "tlsv13 alert certificate required"), "tls_alert_received", "certificate required"),
        (("ok", "ssl/tls alert handshake failure"), "tls_alert_received", "handshake failure"),
        (("", "no shared cipher"), "tls_protocol_error", "no shared cipher"),
        (("ok", "unexpected eof while reading"), "connection_terminated", ""),
        (("", ""), "connection_terminated", ""),
    ],
)
def test_the_cause(failure: tuple[str, str], cause: str, detail: str) -> None:
    assert tls_fault(failure) == (cause, detail)
    assert CAUSES[cause].status == 502
