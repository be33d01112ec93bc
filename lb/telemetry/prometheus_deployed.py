"""Deployed environments and their instances as Prometheus text: they come and go, and are known by the engine's names.

This file knows the metrics. Where the numbers come from is its caller's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lb.telemetry.prometheus import header, labels

_OF_INSTANCE = (
    ("lb_deployed_requests_total", "counter", "Requests that a deployed instance was given.", "requests"),
    (
        "lb_deployed_response_seconds_total",
        "counter",
        "Seconds until the responses of a deployed instance began, all together.",
        "seconds",
    ),
    ("lb_deployed_failures_total", "counter", "Requests in which a deployed instance failed.", "failures"),
    ("lb_deployed_requests_in_flight", "gauge", "Requests that a deployed instance is serving now.", "in_flight"),
    ("lb_deployed_tunnels", "gauge", "WebSockets and other tunnels that are open to a deployed instance.", "tunnels"),
)
_OF_USAGE = (
    ("lb_deployed_memory_bytes", "gauge", "Memory of a deployed instance; shared pages count in part.", "memory"),
    ("lb_deployed_cpu_seconds_total", "counter", "CPU time of a deployed instance since its start.", "cpu"),
    ("lb_deployed_files_bytes", "gauge", "Files of a deployed instance in its home directory and /tmp.", "files"),
    ("lb_deployed_processes", "gauge", "Processes of a deployed instance.", "processes"),
    (
        "lb_deployed_restarts_total",
        "counter",
        "Ends and replacements of a deployed instance without a command.",
        "restarts",
    ),
)
_OF_ENVIRONMENT = (
    ("lb_deployed_requests_waiting", "Requests that wait for a deployed app to start.", "waiting"),
    ("lb_deployed_idle_seconds", "Seconds since the last request that keeps a deployed app awake.", "idle"),
)


def render_deployed(environments: Iterable[tuple[str, str, Mapping[str, Any]]]) -> bytes:
    """`environments` are app, environment and what `deployed_report` says of it; nothing where there are none."""
    found = list(environments)
    if not found:
        return b""
    lines: list[str] = []
    for metric, text, key in _OF_ENVIRONMENT:
        lines.append(header(metric, "gauge", text))
        lines += [f"{metric}{labels(app=app, environment=name)} {one[key]:g}\n" for app, name, one in found]
    for metric, kind, text, key in _OF_INSTANCE:
        lines.append(header(metric, kind, text))
        lines += [
            f"{metric}{labels(app=app, environment=name, instance=instance['name'])} {instance[key]:.12g}\n"
            for app, name, one in found
            for instance in one["instances"]
        ]
    for metric, kind, text, key in _OF_USAGE:
        lines.append(header(metric, kind, text))
        lines += [
            f"{metric}{labels(app=app, environment=name, instance=instance['name'])} {instance['usage'][key]:.12g}\n"
            for app, name, one in found
            for instance in one["instances"]
            if instance["usage"] is not None and instance["usage"][key] >= 0
        ]
    return "".join(lines).encode()
