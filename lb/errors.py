"""What can go wrong with a request, as one table: cause code → status, sentence, and who can mend it.

The code is the same in the error page, the access log, the metrics and `Proxy-Status`. Where RFC 9209 section 2.3
registers an error type, its name and its recommended status are used; the rest are named in its style. This file
knows nothing of HTTP syntax, sockets or configuration: it is imported by every layer and imports none.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason for which a request was not served.

    `code` is the public name, `status` the HTTP status of the reply, `sentence` what happened, `mend` who can mend it
    and how, `retry_after` seconds for a Retry-After field, or None where waiting does not help.
    """

    code: str
    status: int
    sentence: str
    mend: str
    retry_after: int | None = None


_CLIENT = "The client has to send a different request."
_APP = "The app's operator has to look at the instance."
_LATER = "Try again in a moment; the app's operator can see the cause in the log."

_TABLE = (
    # What the client sent.
    Cause("http_request_error", 400, "The request is not valid HTTP.", _CLIENT),
    Cause("request_timeout", 408, "The request did not arrive in time.", "The client has to send its request faster."),
    Cause("request_body_too_large", 413, "The request body is larger than this server allows.", _CLIENT),
    Cause("request_line_too_long", 414, "The request line is longer than this server allows.", _CLIENT),
    Cause("expectation_failed", 417, "The request expects something that this server does not know.", _CLIENT),
    Cause(
        "misdirected_request", 421, "The requested host is not covered by the certificate of this connection.", _CLIENT
    ),
    Cause("request_header_too_large", 431, "The request's header fields are larger than this server allows.", _CLIENT),
    Cause(
        "plain_http_on_https_port",
        400,
        "This port speaks HTTPS, and the request came in plain HTTP.",
        "The client has to use an https:// URL.",
    ),
    Cause("method_not_supported", 501, "The request method cannot be served by a reverse proxy.", _CLIENT),
    Cause("http_version_not_supported", 505, "The HTTP version of the request is not supported.", _CLIENT),
    # What the front door decided.
    Cause(
        "destination_not_found",
        404,
        "No app is bound to this domain.",
        "The operator can bind the domain to an app in the configuration.",
    ),
    Cause(
        "client_certificate_required",
        403,
        "This domain is for clients that show a certificate, which plain HTTP cannot carry.",
        "The client has to connect over HTTPS, with a certificate that the operator's authority has signed.",
    ),
    Cause("challenge_not_found", 404, "No ACME challenge with this token is pending.", _CLIENT),
    Cause(
        "connection_limit_reached",
        503,
        "The server is serving as many connections or requests as it may.",
        "Try again in a moment; the operator can raise the limits.",
        1,
    ),
    Cause(
        "client_connection_limit_reached",
        429,
        "This client has as many connections open as one client may.",
        "The client has to close some of its connections, or to use them for several requests.",
        1,
    ),
    Cause(
        "client_rate_limit_reached",
        429,
        "This client asks faster than one client may.",
        "The client can ask again after the time that Retry-After names.",
        1,
    ),
    Cause(
        "proxy_loop_detected",
        508,
        "The request has already passed through this server too often.",
        "The operator has to look for an instance that leads back to this server.",
    ),
    Cause(
        "proxy_stopped",
        503,
        "The front door was stopped before the app had answered.",
        "Try again in a moment.",
    ),
    Cause(
        "out_of_descriptors",
        503,
        "The server has no descriptors left for another connection.",
        "Try again in a moment; the operator can raise the server's limit of open files.",
        1,
    ),
    Cause("proxy_internal_error", 500, "The front door itself failed.", "The operator can see the cause in the log."),
    # What the instances did.
    Cause("destination_unavailable", 503, "No instance of the app is available.", _LATER, 5),
    Cause("connection_refused", 502, "The app's instance refused the connection.", _APP),
    Cause("connection_terminated", 502, "The app's instance closed the connection before it answered.", _APP),
    Cause("destination_ip_unroutable", 502, "The app's instance cannot be reached.", _APP),
    Cause("connection_timeout", 504, "Connecting to the app's instance took too long.", _APP),
    Cause("connection_write_timeout", 504, "The app's instance stopped reading the request.", _APP),
    Cause("http_response_timeout", 504, "The app's instance did not begin its response in time.", _APP),
    Cause("connection_read_timeout", 504, "The app's instance stopped sending its response.", _APP),
    Cause(
        "http_response_incomplete", 502, "The app's instance closed the connection in the middle of its response.", _APP
    ),
    Cause("http_protocol_error", 502, "The app's instance sent something that is not valid HTTP.", _APP),
    Cause("http_response_header_section_size", 502, "The header of the app's response is too large.", _APP),
    Cause("http_upgrade_failed", 502, "The app's instance answered an upgrade that was not asked for.", _APP),
    # Nobody is left to be answered.
    Cause("client_stopped_reading", 499, "The client stopped reading the response.", "Nothing is to be mended."),
    Cause(
        "client_closed_request", 499, "The client left before the response was complete.", "Nothing is to be mended."
    ),
)

CAUSES: dict[str, Cause] = {cause.code: cause for cause in _TABLE}


class ProxyError(Exception):
    """A request that cannot be served: the cause, and what in particular was wrong (never an internal address).

    `retry_after` are seconds for a Retry-After field, where they are known better than the cause's own.
    """

    def __init__(self, code: str, detail: str = "", retry_after: int | None = None) -> None:
        super().__init__(code, detail)
        self.cause = CAUSES[code]
        self.detail = detail
        self.retry_after = retry_after


_OF_CONNECTING = {
    errno.ETIMEDOUT: "connection_timeout",
    errno.EHOSTUNREACH: "destination_ip_unroutable",
    errno.ENETUNREACH: "destination_ip_unroutable",
    errno.EADDRNOTAVAIL: "destination_ip_unroutable",
}


def connecting_cause(error: int) -> str:
    """The cause code for the errno with which connecting to an instance failed."""
    return _OF_CONNECTING.get(error, "connection_refused")


def as_instance_fault(error: ProxyError) -> ProxyError:
    """What a body's reader says of a request, said of a response."""
    if error.cause.code in ("http_request_error", "request_header_too_large"):
        return ProxyError("http_protocol_error", error.detail)
    return error
