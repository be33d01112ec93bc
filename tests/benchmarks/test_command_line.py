"""`python -m benchmarks`: what it refuses, and a whole small run of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.peers.lb import parse_engine
from tests.benchmarks.tools import need

_REPOSITORY = Path(__file__).parents[2]


def _fake_lb(directory: Path, engine: str) -> Path:
    """An interpreter that answers `-P -m lb version` and nothing else."""
    program = directory / "python"
    program.write_text(
        f'#!/bin/sh\n[ "$*" = "-P -m lb version" ] || exit 9\nprintf "version  0.1\\nengine   {engine}\\n"\n'
    )
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("text", "engine"),
    [("engine     compiled\nloop uvloop", "compiled"), ("lb 0.1, engine: python", "python"), ("lb 0.1", None)],
)
def test_engine_is_read_from_the_version(text: str, engine: str | None) -> None:
    assert parse_engine(text) == engine


def test_a_run_with_the_fallback_engine_is_no_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    python = _fake_lb(tmp_path, "python")
    code = main(
        ["--lb-python", str(python), "--peers", "lb", "--scenario", "small", "--output", str(tmp_path / "results")]
    )
    assert code == 1
    assert "not a result: lb runs the fallback engine (python)" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_unknown_names_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--peers", "apache"], ["--scenario", "tiny"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
    assert "known are lb,nginx" in capsys.readouterr().err.replace(", ", ",")


def test_list_names_every_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    assert "instances-100" in capsys.readouterr().out


def test_a_small_run_writes_a_table_and_a_chart_and_leaves_no_process(tmp_path: Path) -> None:
    need("cc", "wrk", "nginx")
    command = (sys.executable, "-m", "benchmarks", "--quick", "--peers", "nginx", "--scenario", "small", "connect")
    done = subprocess.run(
        (*command, "--output", tmp_path),
        cwd=_REPOSITORY,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (report,) = tmp_path.glob("*-partial.md")
    text = report.read_text()
    costs = text.partition("## Throughput")[0]
    rows = {line.split("|")[1].strip(): line.split("|") for line in costs.splitlines() if line.startswith("| ")}
    assert float(rows["small response"][4]) > 1
    assert float(rows["new connection a request"][4]) > 1
    assert "What went wrong" not in text
    assert text == done.stdout.removesuffix("\n")
    assert report.with_suffix(".svg").read_text().startswith("<svg")
    assert not _processes_naming(str(tmp_path))


def _processes_naming(word: str) -> list[str]:
    """Command lines of running processes with `word` in it: what a run starts has its temporary directory there."""
    lines = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return [line for line in lines if word in line]
