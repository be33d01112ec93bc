"""Every counter of the service, declared once: its metric, its help, its labels, its cells and its source.

The shared memory (`counters`), the metrics page (`prometheus`) and the test of the documentation follow from this
table. To add a counter, declare it here and count it where `counted_by` says. This file knows names; it counts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from lb.errors import CAUSES
from lb.telemetry.process_kind import PARTS, ProcessKind


class CountedBy(StrEnum):
    """The process whose numbers go into the cells."""

    ENGINE = "proxy/engine.py"
    HTTP2 = "proxy/http2/figures.py"
    HANDSHAKES = "tls/handshake/pending.py"
    SUPERVISOR = "control/service.py"


@dataclass(frozen=True, slots=True)
class CounterMetric:
    """One Prometheus metric. `cells` are the names of its cells in shared memory by the values of its `label`, "" for
    one without a label. A gauge describes the present, and so ends with the worker.
    """

    name: str
    help: str
    counted_by: CountedBy
    cells: Mapping[str, str]
    label: str = ""
    kind: Literal["counter", "gauge"] = "counter"


def response_cell(status_class: int) -> str:
    """The cell for responses with a status of this class, from 1 to 5."""
    return f"responses_{status_class}xx"


def error_cell(cause: str) -> str:
    """The cell for requests that failed for this cause."""
    return f"error_{cause}"


def restart_cell(kind: ProcessKind) -> str:
    """The cell for processes of this kind that were replaced."""
    return f"restarts_{kind}"


_ENGINE, _HANDSHAKES, _SUPERVISOR = CountedBy.ENGINE, CountedBy.HANDSHAKES, CountedBy.SUPERVISOR
_HTTP2 = CountedBy.HTTP2

COUNTER_METRICS = (
    CounterMetric("lb_requests_total", "Requests received.", _ENGINE, {"": "requests_total"}),
    CounterMetric("lb_received_bytes_total", "Bytes received from clients.", _ENGINE, {"": "bytes_in"}),
    CounterMetric("lb_sent_bytes_total", "Bytes sent to clients.", _ENGINE, {"": "bytes_out"}),
    CounterMetric("lb_connections_total", "Connections accepted.", _ENGINE, {"": "connections_total"}),
    CounterMetric(
        "lb_connections_open",
        "Client connections that are open now.",
        _ENGINE,
        {"": "connections_open"},
        kind="gauge",
    ),
    CounterMetric("lb_tls_handshakes_total", "TLS handshakes completed.", _ENGINE, {"": "tls_handshakes_total"}),
    CounterMetric("lb_tls_resumed_total", "TLS handshakes that resumed a session.", _ENGINE, {"": "tls_resumed_total"}),
    CounterMetric(
        "lb_tls_handshakes_waiting",
        "TLS handshakes that wait for a certificate on demand now.",
        _HANDSHAKES,
        {"": "tls_waiting"},
        kind="gauge",
    ),
    CounterMetric(
        "lb_tls_handshakes_held_total",
        "TLS handshakes that waited for a certificate.",
        _HANDSHAKES,
        {"": "tls_held_total"},
    ),
    CounterMetric(
        "lb_tls_handshakes_refused_total",
        "TLS handshakes refused because their name gets no certificate on demand, or too many waited.",
        _HANDSHAKES,
        {"": "tls_refused_total"},
    ),
    CounterMetric(
        "lb_tls_handshakes_unknown_name_total",
        "TLS handshakes refused because no certificate covers their server name.",
        _HANDSHAKES,
        {"": "tls_unknown_total"},
    ),
    CounterMetric(
        "lb_tls_handshakes_timed_out_total",
        "TLS handshakes that waited for a certificate which did not come in time.",
        _HANDSHAKES,
        {"": "tls_timed_out_total"},
    ),
    CounterMetric(
        "lb_tls_record_floods_total",
        "TLS connections closed because they sent too many records without data.",
        _ENGINE,
        {"": "tls_record_floods_total"},
    ),
    CounterMetric(
        "lb_http2_connections_total", "Client connections that speak HTTP/2.", _HTTP2, {"": "http2_connections_total"}
    ),
    CounterMetric(
        "lb_http2_refused_total",
        "Requests refused because their HTTP/2 connection had too many under way.",
        _HTTP2,
        {"": "http2_refused_total"},
    ),
    CounterMetric(
        "lb_http2_resets_total",
        "HTTP/2 streams that were reset, by whom: client, or lb.",
        _HTTP2,
        {"client": "http2_resets_by_clients", "lb": "http2_resets_by_us"},
        "by",
    ),
    CounterMetric(
        "lb_http2_goaways_total",
        "HTTP/2 connections that were told to make no more requests.",
        _HTTP2,
        {"": "http2_goaways_total"},
    ),
    CounterMetric(
        "lb_http2_errors_total",
        "HTTP/2 connections ended because of what the client sent.",
        _HTTP2,
        {"": "http2_errors_total"},
    ),
    CounterMetric(
        "lb_upstream_connects_total", "Connections made to instances.", _ENGINE, {"": "upstream_connects_total"}
    ),
    CounterMetric(
        "lb_upstream_reused_total",
        "Requests sent on a connection that was already open.",
        _ENGINE,
        {"": "upstream_reused_total"},
    ),
    CounterMetric(
        "lb_retries_total", "Requests tried again on another instance or connection.", _ENGINE, {"": "retries_total"}
    ),
    CounterMetric(
        "lb_retries_refused_total",
        "Requests that were not tried again because the retry budget was spent.",
        _ENGINE,
        {"": "retries_refused_total"},
    ),
    CounterMetric(
        "lb_redirects_to_self_total",
        "Responses of apps that redirect a URL to itself: many mean a loop.",
        _ENGINE,
        {"": "redirects_to_self_total"},
    ),
    CounterMetric(
        "lb_log_lines_dropped_total",
        "Access-log lines lost because their sink was stuck.",
        _ENGINE,
        {"": "log_lines_dropped_total"},
    ),
    CounterMetric(
        "lb_responses_total",
        "Responses sent, by class of status.",
        _ENGINE,
        {f"{number}xx": response_cell(number) for number in range(1, 6)},
        "class",
    ),
    CounterMetric(
        "lb_errors_total",
        "Requests that failed, by cause.",
        _ENGINE,
        {code: error_cell(code) for code in CAUSES},
        "cause",
    ),
    CounterMetric(
        "lb_process_restarts_total",
        "Processes that exited unexpectedly and were replaced, by kind.",
        _SUPERVISOR,
        {kind.value: restart_cell(kind) for kind in PARTS},
        "process",
    ),
)
