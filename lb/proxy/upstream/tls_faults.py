"""Why TLS to an instance failed: OpenSSL's words → a cause and its detail (E3). Knows no connection."""

from __future__ import annotations

_UNVERIFIED = "certificate verify failed"
_ALERT = " alert "
_PLAIN = "wrong version number"  # what plain HTTP looks like


def tls_fault(failure: tuple[str, str]) -> tuple[str, str]:
    """The cause code and the detail. `failure` is what is wrong with the instance's certificate, and the reason why the
    connection failed; names and addresses in it are left out (E2).
    """
    verdict, reason = failure[0].partition(",")[0].lower().rstrip("."), failure[1].lower()
    if reason == _UNVERIFIED:
        return "tls_certificate_error", verdict
    if _ALERT in reason:
        return "tls_alert_received", reason.rpartition(_ALERT)[2]
    if not reason or "eof" in reason:
        return "connection_terminated", ""
    return "tls_protocol_error", "the instance does not speak TLS" if reason == _PLAIN else reason
