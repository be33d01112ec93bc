"""Counters as Prometheus text (exposition format 0.0.4).

This file knows metric names and the format's syntax; where the numbers come from is its caller's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from lb.errors import CAUSES

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# Counter name → metric, kind, help. Response classes and causes are labels of one metric each and come below.
_SINGLE = (
    ("requests_total", "lb_requests_total", "counter", "Requests received."),
    ("bytes_in", "lb_received_bytes_total", "counter", "Bytes received from clients."),
    ("bytes_out", "lb_sent_bytes_total", "counter", "Bytes sent to clients."),
    ("connections_total", "lb_connections_total", "counter", "Connections accepted."),
    ("connections_open", "lb_connections_open", "gauge", "Client connections that are open now."),
    ("tls_handshakes_total", "lb_tls_handshakes_total", "counter", "TLS handshakes completed."),
    ("tls_resumed_total", "lb_tls_resumed_total", "counter", "TLS handshakes that resumed a session."),
    ("upstream_connects_total", "lb_upstream_connects_total", "counter", "Connections made to instances."),
    (
        "upstream_reused_total",
        "lb_upstream_reused_total",
        "counter",
        "Requests sent on a connection that was already open.",
    ),
    ("retries_total", "lb_retries_total", "counter", "Requests tried again on another instance or connection."),
    (
        "retries_refused_total",
        "lb_retries_refused_total",
        "counter",
        "Requests that were not tried again because the retry budget was spent.",
    ),
    (
        "log_lines_dropped_total",
        "lb_log_lines_dropped_total",
        "counter",
        "Access-log lines lost to a sink that was stuck.",
    ),
)
_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")


def render(totals: Mapping[str, int], info: Mapping[str, str]) -> bytes:
    """The page: `totals` by the names of `lb.telemetry.counters.NAMES`, `info` as the labels of `lb_info`."""
    return "".join(_lines(totals, info)).encode()


def render_health(instances: Iterable[tuple[str, str, str, bool]]) -> bytes:
    """One gauge for each (app, environment, instance, whether it gets requests); nothing when nobody is checked."""
    lines = [
        f'lb_instance_healthy{{app="{_escaped(app)}",environment="{environment}",instance="{_escaped(instance)}"}} '
        f"{int(healthy)}\n"
        for app, environment, instance, healthy in instances
    ]
    if not lines:
        return b""
    return "".join([_header("lb_instance_healthy", "gauge", "Whether an instance passes its checks."), *lines]).encode()


def _lines(totals: Mapping[str, int], info: Mapping[str, str]) -> Iterator[str]:
    yield _header("lb_info", "gauge", "What runs here.")
    yield "lb_info{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in info.items()) + "} 1\n"
    for name, metric, kind, text in _SINGLE:
        yield _header(metric, kind, text)
        yield f"{metric} {totals[name]}\n"
    yield _header("lb_responses_total", "counter", "Responses sent, by class of status.")
    for status_class in _CLASSES:
        yield f'lb_responses_total{{class="{status_class}"}} {totals["responses_" + status_class]}\n'
    yield _header("lb_errors_total", "counter", "Requests that failed, by cause.")
    for code in CAUSES:
        yield f'lb_errors_total{{cause="{code}"}} {totals["error_" + code]}\n'


def _header(metric: str, kind: str, text: str) -> str:
    return f"# HELP {metric} {text}\n# TYPE {metric} {kind}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
