"""What is counted of HTTP/2."""

from __future__ import annotations

from lb.http.h2_errors import NO_ERROR, PROTOCOL_ERROR
from lb.proxy.http2.figures import Http2Figures
from lb.telemetry.metrics import COUNTER_METRICS, CountedBy


def test_every_figure_has_a_cell() -> None:
    figures = Http2Figures()
    metrics = [metric for metric in COUNTER_METRICS if metric.counted_by is CountedBy.HTTP2]
    assert {name for name, _ in figures.cells()} == {cell for metric in metrics for cell in metric.cells.values()}


def test_an_orderly_end_is_no_error() -> None:
    figures = Http2Figures()
    figures.failed(NO_ERROR)
    assert dict(figures.cells())["http2_errors_total"] == 0
    figures.failed(PROTOCOL_ERROR)
    assert dict(figures.cells())["http2_errors_total"] == 1
