"""The causes of failed requests, as one table: cause code → status, sentence, and remedy.

The code is the same in the error page, the access log, the metrics and `Proxy-Status`. Where RFC 9209 section 2.3
registers an error type, its name and its recommended status are used (except 503 for dns_error: a name may get
an address at any moment); the rest are named in its style. This file knows nothing of HTTP syntax, sockets or
configuration: it is imported by every layer and imports none.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why a request was not served.

    `code` is the public name, `status` the HTTP status of the response, `sentence` what happened, `mend` who can fix
    it and how, `retry_after` seconds for a Retry-After field, or None if waiting does not help. `ours`: a connection
    failed for a reason on this side, which is never counted against an instance (E3).
    """

    code: str
    status: int
    sentence: str
    mend: str
    retry_after: int | None = None
    ours: bool = False


_CLIENT = "The client has to send a different request."
_BROKEN = "The app's operator can find the reason in the instance's own log."
_SLOW = "The app's operator can find out what keeps the instance busy; timeouts.{} sets how long lb waits."
_SERVICE = "The operator can check that the service runs, and answers at the route's forward_auth URL."
_NOTHING = "No action is needed."

_TABLE = (
    # What the client sent.
    Cause("http_request_error", 400, "The request is not valid HTTP.", _CLIENT),
    Cause("request_timeout", 408, "The request did not arrive in time.", "The client has to send its request faster."),
    Cause("request_body_too_large", 413, "The request body is larger than this server allows.", _CLIENT),
    Cause("request_line_too_long", 414, "The request line is longer than this server allows.", _CLIENT),
    Cause("expectation_failed", 417, "The request has an Expect field that this server does not support.", _CLIENT),
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
    Cause(
        "proxy_header_invalid",
        400,
        "The connection did not begin with a PROXY header.",
        "The operator can let the proxy in front send one, or remove listen.proxy_protocol from the configuration.",
    ),
    Cause("method_not_supported", 501, "A reverse proxy cannot serve this request method.", _CLIENT),
    Cause("http_version_not_supported", 505, "The HTTP version of the request is not supported.", _CLIENT),
    # Decisions of the front door.
    Cause(
        "destination_not_found",
        404,
        "No app is bound to this domain.",
        "The operator can bind the domain to an app in the configuration.",
    ),
    Cause(
        "client_certificate_required",
        403,
        "This domain requires a client certificate, which plain HTTP cannot carry.",
        "The client has to connect over HTTPS, with a certificate that the operator's authority has signed.",
    ),
    Cause(
        "http_request_denied",
        403,
        "This client may not make this request.",
        "The operator can change the networks that the route allows or denies.",
    ),
    Cause("authentication_required", 401, "A user and a password are required here.", _CLIENT),
    Cause("authentication_failed", 401, "The user or the password is wrong.", _CLIENT),
    Cause(
        "authentication_limit_reached",
        429,
        "This client has sent too many wrong passwords.",
        "The client can try again after the time in the Retry-After field.",
        5,
    ),
    Cause("authentication_busy", 503, "Too many passwords are being verified.", "Try again in a moment.", 1),
    Cause(
        "password_file_not_readable",
        500,
        "This server cannot read the file of the passwords.",
        "The operator can find the reason in this server's log.",
    ),
    Cause("forward_auth_denied", 403, "The authentication service did not let the request pass.", _CLIENT),
    Cause("forward_auth_unavailable", 503, "The authentication service cannot be reached.", _SERVICE, 5),
    Cause("forward_auth_timeout", 504, "The authentication service did not answer in time.", _SERVICE),
    Cause("forward_auth_error", 502, "The answer of the authentication service cannot be used.", _SERVICE),
    Cause(
        "file_not_found",
        404,
        "There is no file for this path.",
        "The operator can put it into the directory that the route serves.",
    ),
    Cause(
        "file_not_permitted",
        403,
        "This server is not permitted to read the file.",
        "The operator can give the user that lb runs as read permission on the file, and search permission on its "
        "directories.",
    ),
    Cause(
        "file_not_readable",
        500,
        "The file could not be read.",
        "The operator can check the disk that it is on, and whether something changes it while it is served.",
    ),
    Cause("method_not_allowed", 405, "Files can be read here, and nothing else.", _CLIENT),
    Cause("precondition_failed", 412, "The file is another one than the client expects.", _CLIENT),
    Cause("range_not_satisfiable", 416, "The file has no such range of bytes.", _CLIENT),
    Cause("challenge_not_found", 404, "No ACME challenge with this token is pending.", _NOTHING),
    Cause(
        "connection_limit_reached",
        503,
        "The server has reached its limit of connections or requests.",
        "Try again in a moment; the operator can raise the limits.",
        1,
    ),
    Cause(
        "client_connection_limit_reached",
        429,
        "This client has as many connections open as one client may have.",
        "The client has to close some of its connections, or use each of them for several requests.",
        1,
    ),
    Cause(
        "client_rate_limit_reached",
        429,
        "This client sends requests faster than one client may.",
        "The client can try again after the time in the Retry-After field.",
        1,
    ),
    Cause(
        "proxy_loop_detected",
        508,
        "The request has already passed through this server too often.",
        "The operator has to find the instance that leads back to this server.",
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
        ours=True,
    ),
    Cause("proxy_internal_error", 500, "This server failed.", "The operator can find the reason in this server's log."),
    Cause(
        "local_resources_unavailable",
        503,
        "This server has no local port, address or memory for a connection to the app's instance.",
        "The operator can free local ports or memory, or enable IPv6 if the instance's address needs it.",
        1,
        ours=True,
    ),
    # The engine's reasons why a deployed app has no instance.
    Cause(
        "app_not_deployed",
        503,
        "No version of this app has been deployed.",
        "The app's operator can deploy one with the command lb deploy.",
        5,
    ),
    Cause(
        "app_stopped",
        503,
        "This app has been stopped.",
        "The app's operator can start it with the command lb start.",
    ),
    Cause(
        "app_start_failed",
        503,
        "The app was asleep, and did not start.",
        "The app's operator can see why with lb ps and lb logs; it is started again by a request after the time in "
        "the Retry-After field.",
        5,
    ),
    Cause(
        "app_start_timeout",
        503,
        "The app was asleep, and did not start in time.",
        "Try again in a moment; wake_timeout sets how long a request waits for the app.",
        5,
    ),
    Cause(
        "app_asleep",
        503,
        "The app is asleep, and a request for this path does not wake it.",
        "A request for another path wakes the app; no_wake has the paths that do not.",
        60,
    ),
    Cause(
        "engine_unavailable",
        503,
        "The engine service, which runs this app, does not answer.",
        "The operator can start it with the command lb engine start.",
        5,
    ),
    # Failures of instances, or of connections to them.
    Cause(
        "destination_unavailable",
        503,
        "No instance of the app is available.",
        "Try again in a moment; the operator can see each instance's state with lb status.",
        5,
    ),
    Cause(
        "dns_error",
        503,
        "The name of the app's instance has no address.",
        "The operator can correct the instance's name in the configuration, or its DNS record.",
        5,
    ),
    Cause(
        "connection_refused",
        502,
        "The app's instance refused the connection.",
        "The app's operator can check that the app is running and listens on the configured address.",
    ),
    Cause(
        "socket_not_found",
        502,
        "The Unix socket of the app's instance does not exist.",
        "The app's operator can start the app, or correct the socket's path in the configuration.",
    ),
    Cause(
        "connection_not_permitted",
        502,
        "This server is not permitted to connect to the app's instance.",
        "The operator can give the user that lb runs as write permission on the socket and search permission on its "
        "directories, or change the firewall or security policy that forbids the connection.",
    ),
    Cause(
        "not_a_socket",
        502,
        "The configured path of the app's instance is not a stream socket.",
        "The app's operator can correct the path in the configuration, or remove the file and restart the app.",
    ),
    Cause(
        "instance_speaks_tls",
        502,
        "The app's instance speaks TLS where plain HTTP is expected.",
        "The operator can write https:// before the instance's address, or configure a port on which it serves HTTP.",
    ),
    Cause(
        "tls_certificate_error",
        502,
        "The TLS certificate of the app's instance is not valid.",
        "The app's operator can renew the certificate; instance_tls has ca for the authority that signed it, and "
        "server_name for the name that it has.",
    ),
    Cause(
        "tls_alert_received",
        502,
        "The app's instance refused the TLS connection.",
        "The operator can check instance_tls: cert, if the instance requires a certificate, and server_name.",
    ),
    Cause(
        "tls_protocol_error",
        502,
        "The TLS connection to the app's instance failed.",
        "The operator can check that the instance speaks TLS on this port, or write its address without https://.",
    ),
    Cause("connection_failed", 502, "The connection to the app's instance failed.", _BROKEN),
    Cause("connection_terminated", 502, "The app's instance closed the connection before it answered.", _BROKEN),
    Cause(
        "destination_ip_unroutable",
        502,
        "There is no route to the app's instance.",
        "The operator can check the instance's address in the configuration, and the network between.",
    ),
    Cause(
        "connection_timeout",
        504,
        "Connecting to the app's instance took too long.",
        "The operator can check the instance's address, and whether a firewall drops packets.",
    ),
    Cause("connection_write_timeout", 504, "The app's instance stopped reading the request.", _SLOW.format("read")),
    Cause(
        "http_response_timeout",
        504,
        "The app's instance did not begin its response in time.",
        _SLOW.format("response"),
    ),
    Cause("connection_read_timeout", 504, "The app's instance stopped sending its response.", _SLOW.format("read")),
    Cause(
        "http_response_incomplete",
        502,
        "The app's instance closed the connection in the middle of its response.",
        _BROKEN,
    ),
    Cause(
        "http_protocol_error",
        502,
        "The app's instance sent something that is not valid HTTP.",
        "The app's operator can check that the configured port is that of the app, and that it serves HTTP/1.1.",
    ),
    Cause(
        "http_response_header_section_size",
        502,
        "The header section of the app's response is too large.",
        "The app's operator can look for a response with very many or very long fields, such as cookies.",
    ),
    Cause("http_upgrade_failed", 502, "The app's instance switched to a protocol that was not requested.", _BROKEN),
    # The client is gone.
    Cause("client_stopped_reading", 499, "The client stopped reading the response.", _NOTHING),
    Cause("client_closed_request", 499, "The client left before the response was complete.", _NOTHING),
)

CAUSES: dict[str, Cause] = {cause.code: cause for cause in _TABLE}


class ProxyError(Exception):
    """A request that cannot be served: the cause, and a detail of what was wrong (never an internal address).

    `retry_after` is in seconds for a Retry-After field, if a better value than the cause's own is known; `fields` are
    others that the reply has to have.
    """

    def __init__(
        self, code: str, detail: str = "", retry_after: int | None = None, fields: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        super().__init__(code, detail)
        self.cause = CAUSES[code]
        self.detail = detail
        self.retry_after = retry_after
        self.fields = fields


_OF_CONNECTING = {
    errno.ECONNREFUSED: "connection_refused",
    errno.ECONNRESET: "connection_terminated",
    errno.ECONNABORTED: "connection_terminated",
    errno.EPIPE: "connection_terminated",
    errno.ETIMEDOUT: "connection_timeout",
    errno.EHOSTUNREACH: "destination_ip_unroutable",
    errno.EHOSTDOWN: "destination_ip_unroutable",
    errno.ENETUNREACH: "destination_ip_unroutable",
    errno.ENETDOWN: "destination_ip_unroutable",
    errno.EACCES: "connection_not_permitted",
    errno.EPERM: "connection_not_permitted",
    errno.ENOENT: "socket_not_found",
    errno.ENOTDIR: "socket_not_found",
    errno.ELOOP: "socket_not_found",
    errno.ENOTSOCK: "not_a_socket",
    errno.EPROTOTYPE: "not_a_socket",  # a datagram socket
    errno.EADDRNOTAVAIL: "local_resources_unavailable",  # no free port, or no address of that family
    errno.EAFNOSUPPORT: "local_resources_unavailable",
    errno.ENOBUFS: "local_resources_unavailable",
    errno.ENOMEM: "local_resources_unavailable",
}


def connecting_cause(error: int) -> str:
    """The cause code for the errno of a failed connection to an instance."""
    return _OF_CONNECTING.get(error, "connection_failed")


def connecting_detail(code: str, error: int) -> str:
    """What the errno adds to its cause code; "" if nothing. Never an address."""
    return os.strerror(error).lower() if code in ("connection_failed", "local_resources_unavailable") else ""


def looks_like_tls(data: bytes) -> bool:
    """Whether a response to plain HTTP begins with a TLS record: an alert or a handshake, of version 3.0 to 3.4."""
    return len(data) > 2 and data[0] in (0x15, 0x16) and data[1] == 3 and data[2] <= 4


def as_instance_fault(error: ProxyError) -> ProxyError:
    """Turns an error of a body reader about a request into one about a response."""
    if error.cause.code in ("http_request_error", "request_header_too_large"):
        return ProxyError("http_protocol_error", error.detail)
    return error
