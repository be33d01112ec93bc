"""Counters as Prometheus text (exposition format 0.0.4).

This file knows the format's syntax and the gauges that are no counters; counters are declared in `metrics`. The caller
provides the numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lb.telemetry.instance_gauges import InstanceLoad, Name
from lb.telemetry.metrics import COUNTER_METRICS

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render(totals: Mapping[str, int], info: Mapping[str, str]) -> bytes:
    """The page: `totals` by the names of `lb.telemetry.counters.NAMES`, `info` as the labels of `lb_info`."""
    return "".join(_lines(totals, info)).encode()


def render_start(started: int) -> bytes:
    """When the service started, in seconds since the epoch: it changes when the whole service was restarted."""
    head = header("lb_start_time_seconds", "gauge", "When the service started, in seconds since the epoch.")
    return f"{head}lb_start_time_seconds {started}\n".encode()


def render_health(instances: Iterable[tuple[str, str, str, bool]]) -> bytes:
    """One gauge for each (app, environment, instance, whether it gets requests); empty if none is checked."""
    lines = [
        f"lb_instance_healthy{_labels((app, environment, instance))} {int(healthy)}\n"
        for app, environment, instance, healthy in instances
    ]
    if not lines:
        return b""
    return "".join([header("lb_instance_healthy", "gauge", "Whether an instance passes its checks."), *lines]).encode()


def render_loads(loads: Iterable[tuple[Name, InstanceLoad]]) -> bytes:
    """Two gauges for each instance; the addresses of a name count as one; empty if no worker has reported."""
    up, in_flight = [], []
    for name, load in loads:
        labels = _labels(name)
        up.append(f"lb_instance_up{labels} {load.up / load.pairs if load.pairs else 0:g}\n")
        in_flight.append(f"lb_instance_requests_in_flight{labels} {load.in_flight}\n")
    if not up:
        return b""
    share = (
        "Share of the workers, and of a name's addresses, for which an instance works: 0 while requests or checks fail."
    )
    serving = "Requests that an instance is serving now."
    return "".join(
        (
            header("lb_instance_up", "gauge", share),
            *up,
            header("lb_instance_requests_in_flight", "gauge", serving),
            *in_flight,
        )
    ).encode()


def _labels(name: Name) -> str:
    app, environment, instance = name
    return labels(app=app, environment=environment, instance=instance)


def labels(**values: str) -> str:
    """Labels of a sample, with their braces."""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in values.items()) + "}"


@dataclass(frozen=True, slots=True)
class CertificateFigures:
    """Times are seconds since the epoch: `not_after` is None without a certificate yet, `next_attempt` None if no
    attempt is planned. `failures` are those in a row, None if nothing renews it.
    """

    name: str
    source: str
    not_after: float | None
    next_attempt: float | None
    failures: int | None


def render_certificates(figures: Sequence[CertificateFigures], most: int = 1000) -> bytes:
    """Gauges of certificates. If there are more than `most`, only those that fail or expire first have their own
    series; of several with one name (an RSA one beside an ECDSA one), the one that expires first.
    """
    if not figures:
        return b""
    sources = Counter(one.source for one in figures)
    urgent = sorted(figures, key=lambda one: (not one.failures, one.not_after or 0.0, one.name))
    distinct = {(one.name, one.source): one for one in reversed(urgent)}
    shown = [*reversed(distinct.values())][:most]
    return "".join(
        (
            header("lb_certificates", "gauge", "Certificates that exist or are wanted, by source."),
            *(f'lb_certificates{{source="{source}"}} {count}\n' for source, count in sorted(sources.items())),
            *_gauges(
                "lb_certificate_not_after_timestamp_seconds",
                "When a certificate expires; 0: there is none yet.",
                ((one, one.not_after or 0.0) for one in shown),
            ),
            *_gauges(
                "lb_certificate_next_attempt_timestamp_seconds",
                "When the next attempt to obtain or renew it is due.",
                ((one, one.next_attempt) for one in shown),
            ),
            *_gauges(
                "lb_certificate_failures",
                "Failed attempts to obtain it since the last success.",
                ((one, one.failures) for one in shown),
            ),
        )
    ).encode()


def _gauges(metric: str, text: str, values: Iterable[tuple[CertificateFigures, float | None]]) -> Iterator[str]:
    yield header(metric, "gauge", text)
    for one, value in values:
        if value is not None:
            yield f'{metric}{{name="{_escaped(one.name)}",source="{one.source}"}} {value:.0f}\n'


def _lines(totals: Mapping[str, int], info: Mapping[str, str]) -> Iterator[str]:
    yield header("lb_info", "gauge", "Version and build of this service.")
    yield "lb_info{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in info.items()) + "} 1\n"
    for metric in COUNTER_METRICS:
        yield header(metric.name, metric.kind, metric.help)
        for value, cell in metric.cells.items():
            label = f'{{{metric.label}="{value}"}}' if metric.label else ""
            yield f"{metric.name}{label} {totals[cell]}\n"


def header(metric: str, kind: str, text: str) -> str:
    """What stands before the samples of a metric."""
    return f"# HELP {metric} {text}\n# TYPE {metric} {kind}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
