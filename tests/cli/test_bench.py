"""`lb bench`: which address may be tested, and how figures are drawn (the load is in `tests/benchmarks`)."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from lb.cli import bench_run
from lb.cli.bench import bars, bench, is_loopback
from lb.cli.bench_figures import Figures, FiguresError


class Runner:
    """Finds what it is told to."""

    name = "a tester"

    def __init__(self, found: Figures | FiguresError) -> None:
        self.found = found

    def run(self, *_: object) -> Figures:
        if isinstance(self.found, FiguresError):
            raise self.found
        return self.found


def said(monkeypatch: pytest.MonkeyPatch, found: Figures | FiguresError, *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr(bench_run, "choose_runner", lambda *_, **__: Runner(found))
    result = CliRunner().invoke(bench, list(arguments) or ["http://127.0.0.1/"])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.0.0.9", True),
        ("::1", True),
        ("192.0.2.1", False),
        ("name.invalid", False),
    ],
)
def test_which_machine_is_this_one(host: str, ours: bool) -> None:
    assert is_loopback(host) is ours


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://192.0.2.1/", "--yes confirms that you may"),
        ("ftp://localhost/", "is not an http://"),
        ("http://:80/", "is not an"),
        ("http://a:0/", "is not an"),
    ],
)
def test_what_is_not_tested(monkeypatch: pytest.MonkeyPatch, url: str, words: str) -> None:
    code, output = said(monkeypatch, FiguresError("never asked"), url)
    assert code == 2
    assert words in output


def test_figures_are_shown_with_their_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Figures(2000, 2.0, 4_000_000, {50.0: 100.0, 100.0: 9000.0}, {"read": 3, "timeout": 0})
    code, output = said(monkeypatch, found)
    assert code == 0
    assert "2,000 requests answered: 1,000 a second, 2.0 MB/s" in output
    assert "3 errors: 3 read" in output
    assert "p50" in output
    assert "largest" in output


@pytest.mark.parametrize("found", [Figures(0, 1.0, 0, {}), FiguresError("connection refused")])
def test_no_answer_is_a_failure(monkeypatch: pytest.MonkeyPatch, found: Figures | FiguresError) -> None:
    code, _ = said(monkeypatch, found)
    assert code == 1


def test_bars_are_logarithmic() -> None:
    short, middle, long = (len(bar) for bar in bars([10.0, 100.0, 1000.0], 40))
    assert 1 <= short < middle < long == 40
    assert abs((long - middle) - (middle - short)) <= 1
    assert bars([]) == []
    assert bars([0.0]) == [""]
