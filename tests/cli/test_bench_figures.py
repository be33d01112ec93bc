"""What a load run found, and how reports of wrk and h2load are read."""

from __future__ import annotations

import pytest

from lb.cli.bench_figures import (
    PERCENTILES,
    Figures,
    FiguresError,
    parse_h2load,
    parse_wrk,
    percentiles_of,
)

WRK = (
    "Running 10s test\n"
    'LB-FIGURES {"requests": 100, "seconds": 2.5, "bytes_in": 5000, '
    '"errors": {"connect": 0, "read": 1, "write": 0, "status": 2, "timeout": 0}, '
    '"percentiles": {"50": 120, "99.9": 900, "100": 1000}}\n'
)
H2LOAD = "finished in 2.50s, 40.00 req/s\ntraffic: 1.2MB (1234567) total, 0B headers\n"


def test_wrk() -> None:
    figures = parse_wrk(WRK)
    assert (figures.requests, figures.rate, figures.failed) == (100, 40.0, 3)
    assert figures.percentiles == {50.0: 120.0, 99.9: 900.0, 100.0: 1000.0}


def test_h2load() -> None:
    log = ["1\t200\t100", "2\t204\t300", "3\t404\t50", "4\t-1\t0"]
    figures = parse_h2load(H2LOAD, log)
    assert (figures.requests, figures.seconds, figures.bytes_in) == (2, 2.5, 1234567)
    assert figures.errors == {"status 4xx": 1, "read": 1}
    assert figures.percentiles[100.0] == 300.0


@pytest.mark.parametrize(("text", "words"), [("", "printed nothing"), ("unable to connect\n", "unable to connect")])
def test_a_report_that_is_none(text: str, words: str) -> None:
    with pytest.raises(FiguresError, match=words):
        parse_wrk(text)
    with pytest.raises(FiguresError, match=words):
        parse_h2load(text, [])


@pytest.mark.parametrize(("time", "seconds"), [("500.00ms", 0.5), ("12.00s", 12.0), ("1.00m", 60.0), ("10us", 1e-5)])
def test_times_with_their_units(time: str, seconds: float) -> None:
    assert parse_h2load(f"finished in {time}, x\n", []).seconds == pytest.approx(seconds)


def test_percentiles_are_of_the_nearest_rank() -> None:
    found = percentiles_of([float(number) for number in range(1, 101)][::-1])
    assert (found[50.0], found[99.0], found[100.0]) == (51.0, 100.0, 100.0)
    assert percentiles_of([7.0]) == dict.fromkeys(PERCENTILES, 7.0)
    assert percentiles_of([]) == {}
    assert Figures(0, 0.0, 0, {}).rate == 0.0
