"""Reports of load programs become figures, and a report that is none is an error."""

from __future__ import annotations

import pytest

from benchmarks.load import parse_generator
from lb.cli.bench_figures import FiguresError, parse_h2load, parse_wrk, percentiles_of

_WRK = """Running 1s test @ http://localhost:8080/
  1 threads and 64 connections
LB-FIGURES {"requests": 1200, "seconds": 1.500000, "bytes_in": 9000, \
"errors": {"connect": 0, "read": 2, "write": 0, "status": 3, "timeout": 1}, \
"percentiles": {"50": 410, "99": 1900, "100": 2500}}
Requests/sec:    800.00
"""
_H2LOAD = """starting benchmark...
finished in 2.50s, 1.20 req/s, 66B/s
requests: 4 total, 4 started, 4 done, 2 succeeded, 2 failed, 1 errored, 0 timeout
traffic: 1.29KB (1325) total, 180B (180) headers (space savings 51.87%), 1.00KB (1024) data
"""
_GENERATOR = """{"requests": 10, "seconds": 0.5, "bytes_in": 1260, "unsent": 2, "full": 0, "resumed": 0, \
"p50": 35.5, "p90": 40.0, "p99": 90.1, "p999": 91.0, "max": 95.0, \
"errors": {"connect": 1, "tls": 0, "write": 0, "read": 0, "status": 0, "timeout": 0}}"""


def test_wrk_report_gives_rate_latency_and_errors() -> None:
    figures = parse_wrk(_WRK)
    assert figures.rate == 800
    assert figures.percentiles == {50.0: 410.0, 99.0: 1900.0, 100.0: 2500.0}
    assert figures.failed == 6
    assert figures.errors["status"] == 3


@pytest.mark.parametrize("output", ["", "unable to connect to localhost:1 Connection refused\n"])
def test_wrk_without_a_report_is_an_error(output: str) -> None:
    with pytest.raises(FiguresError, match=output.strip() or "nothing"):
        parse_wrk(output)


def test_h2load_log_gives_percentiles_and_classes_of_failure() -> None:
    log = ["1\t200\t1000", "2\t200\t3000", "3\t503\t200", "4\t-1\t100"]
    figures = parse_h2load(_H2LOAD, log)
    assert (figures.requests, figures.seconds, figures.bytes_in) == (2, 2.5, 1325)
    assert figures.percentiles[100.0] == 3000
    assert figures.errors == {"status 5xx": 1, "read": 1}


def test_h2load_that_did_not_finish_is_an_error() -> None:
    with pytest.raises(FiguresError, match="starting"):
        parse_h2load("starting benchmark...\n", [])


@pytest.mark.parametrize(("text", "seconds"), [("1.5s", 1.5), ("250.00ms", 0.25), ("100us", 0.0001)])
def test_h2load_units_of_time(text: str, seconds: float) -> None:
    assert parse_h2load(f"finished in {text}, 1 req/s, 1B/s\n", []).seconds == pytest.approx(seconds)


def test_generator_counts_what_could_not_be_sent_in_time_as_failed() -> None:
    figures = parse_generator(_GENERATOR)
    assert figures.percentiles[99.0] == 90.1
    assert figures.failed == 3


def test_generator_that_printed_no_object_is_an_error() -> None:
    with pytest.raises(FiguresError, match="built without"):
        parse_generator("load: built without OpenSSL's headers")


def test_percentiles_are_of_the_sorted_values() -> None:
    found = percentiles_of([float(value) for value in range(1000, 0, -1)])
    assert (found[50.0], found[99.0], found[100.0]) == (501, 991, 1000)
    assert percentiles_of([]) == {}
