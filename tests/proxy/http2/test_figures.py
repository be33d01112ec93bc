"""What is counted of HTTP/2."""

from __future__ import annotations

from lb.http.h2_errors import NO_ERROR, PROTOCOL_ERROR
from lb.proxy.http2.figures import Http2Figures
from lb.telemetry.counters import NAMES


def test_every_figure_has_a_cell() -> None:
    figures = Http2Figures()
    assert {name for name, _ in figures.cells()} == {name for name in NAMES if name.startswith("http2_")}


def test_an_orderly_end_is_no_error() -> None:
    figures = Http2Figures()
    figures.failed(NO_ERROR)
    assert dict(figures.cells())["http2_errors_total"] == 0
    figures.failed(PROTOCOL_ERROR)
    assert dict(figures.cells())["http2_errors_total"] == 1
