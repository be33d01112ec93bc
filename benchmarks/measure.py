"""One scenario on one running proxy, once: generates load, and divides the proxy's resources by the requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.cpu import cpu_seconds, memory_bytes
from benchmarks.load import Load
from benchmarks.peers.base import PeerError, Target
from benchmarks.scenarios import Kind, Scenario
from lb.cli.bench_figures import Figures, FiguresError

IDLE_CONNECTIONS = 2000
_FIRST_CONNECTIONS = 500
SATURATION_SHARE = 0.7
_WARM_UP_REQUESTS = "2000"


@dataclass(frozen=True, slots=True)
class Sample:
    """The result of one round: `cost` in µs of CPU per request, or KiB per connection; latencies in µs; None means
    "does not apply".
    """

    cost: float
    rate: float | None
    p50: float | None
    p99: float | None
    requests: int
    failed: int


@dataclass(frozen=True, slots=True)
class Effort:
    """How long a round takes: seconds of load, and the share of a scenario's transfers that is made (1 = all)."""

    seconds: float
    share: float = 1.0


def warm_up(load: Load, target: Target) -> None:
    """Fill pools, caches and allocators, so that the steady state is measured."""
    figures = load.generator(target.http, "--requests", _WARM_UP_REQUESTS)
    if figures.failed:
        raise FiguresError(f"the warm-up failed: {dict(figures.errors)}")


def measure(scenario: Scenario, load: Load, target: Target, effort: Effort) -> Sample:
    """Run `scenario` once. Raises FiguresError if the load reports nothing, PeerError if the proxy is gone."""
    try:
        if scenario.kind is Kind.IDLE:
            return _measure_idle(scenario, load, target)
        return _measure_cpu(target, _maker(scenario, load, target, effort))
    except ProcessLookupError as error:
        raise PeerError(str(error)) from error


def _measure_cpu(target: Target, make_load: Callable[[], Figures]) -> Sample:
    before = cpu_seconds(target.pid)
    figures = make_load()
    used = cpu_seconds(target.pid) - before
    if not figures.requests:
        raise FiguresError(f"no request was answered: {dict(figures.errors)}")
    return Sample(
        cost=used / figures.requests * 1e6,
        rate=figures.rate,
        p50=figures.percentiles.get(50.0),
        p99=figures.percentiles.get(99.0),
        requests=figures.requests,
        failed=figures.failed,
    )


def _measure_idle(scenario: Scenario, load: Load, target: Target) -> Sample:
    port = target.port(scenario.scheme)
    # Memory that start-up left free would hide the cost of the first connections: some are open already.
    with load.held(port, _FIRST_CONNECTIONS, scenario.tls):
        before = memory_bytes(target.pid)
        with load.held(port, IDLE_CONNECTIONS, scenario.tls) as figures:
            grown = memory_bytes(target.pid) - before
    if figures.requests != IDLE_CONNECTIONS:
        raise FiguresError(f"{figures.requests} of {IDLE_CONNECTIONS} connections are open: {dict(figures.errors)}")
    return Sample(grown / IDLE_CONNECTIONS / 1024, None, None, None, figures.requests, figures.failed)


def _maker(scenario: Scenario, load: Load, target: Target, effort: Effort) -> Callable[[], Figures]:
    """The load of a scenario, as a function to call between two readings of the CPU time."""
    port = target.port(scenario.scheme)
    seconds = ("--seconds", str(effort.seconds))
    match scenario.kind:
        case Kind.SPREAD:
            return lambda: load.spread(port, scenario.domains, effort.seconds)
        case Kind.TRANSFER:
            count = str(max(4, round(scenario.transfers * effort.share)))
            upload = ("--upload", str(scenario.upload)) if scenario.upload else ()
            tls = ("--tls", scenario.tls) if scenario.tls else ()
            words = ("--connections", "4", "--requests", count, "--path", scenario.path, *upload, *tls)
            return lambda: load.generator(port, *words)
        case Kind.CONNECT:
            tls = ("--tls", scenario.tls) if scenario.tls else ()
            return lambda: load.generator(port, "--close", *seconds, *tls)
        case Kind.RATE:
            saturation = load.wrk(scenario.scheme, port, scenario.path, min(effort.seconds, 1.0)).rate
            rate = str(int(saturation * SATURATION_SHARE))
            return lambda: load.generator(port, "--rate", rate, *seconds)
        case _:
            return lambda: load.wrk(scenario.scheme, port, scenario.path, effort.seconds, gzip=scenario.gzip)
