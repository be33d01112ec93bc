"""Who makes the load of `lb bench`, and what becomes of a program that fails or hangs."""

from __future__ import annotations

import shutil
import sys
from urllib.parse import urlsplit

import pytest

from lb.cli import bench_run
from lb.cli.bench_figures import Figures, FiguresError
from lb.cli.bench_run import H2load, Own, Wrk, _output_of, _without_failed, choose_runner

TARGET = urlsplit("http://127.0.0.1:1/")


@pytest.mark.parametrize(
    ("installed", "http2", "kind"), [({"wrk"}, False, Wrk), (set(), False, Own), ({"wrk", "h2load"}, True, H2load)]
)
def test_the_best_that_is_installed(
    monkeypatch: pytest.MonkeyPatch, installed: set[str], http2: bool, kind: type
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name if name in installed else None)
    assert isinstance(choose_runner(TARGET, http2=http2), kind)


def test_http_2_needs_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(FiguresError, match="h2load"):
        choose_runner(TARGET, http2=True)


def test_a_name_that_only_we_can_resolve_is_ours_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(bench_run, "_resolves", lambda _: False)
    assert isinstance(choose_runner(urlsplit("http://shop.localhost/"), http2=False), Own)


def test_error_pages_are_no_answers() -> None:
    found = _without_failed(Figures(10, 1.0, 0, {}, {"status": 3, "read": 1}))
    assert found.requests == 7
    assert found.errors == {"read": 1, "status 4xx or 5xx": 3}


def test_a_program_is_told_of_while_it_runs() -> None:
    ticks: list[float] = []
    code = "import time; time.sleep(0.25); print('done')"
    assert _output_of((sys.executable, "-c", code), 10, ticks.append) == "done\n"
    assert len(ticks) >= 2
    assert ticks == sorted(ticks)


def test_one_that_fails_gives_its_last_words() -> None:
    with pytest.raises(FiguresError, match="no route"):
        _output_of((sys.executable, "-c", "import sys; sys.exit('no route')"), 10, lambda _: None)


def test_one_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_run, "_SLACK_S", 0.0)
    with pytest.raises(FiguresError, match="did not end in time"):
        _output_of((sys.executable, "-c", "import time; time.sleep(60)"), 0.1, lambda _: None)
