"""`lb version`: a line each, and warnings beside them."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from lb.cli import version as module
from lb.cli.build import describe_build
from lb.cli.version import version


def test_every_figure_is_a_line() -> None:
    result = CliRunner().invoke(version)
    assert result.exit_code == 0
    lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert lines == describe_build()


def test_what_could_be_better_is_on_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        module, "describe_build", lambda: {"version": "1", "engine": "python", "openssl_access": "none"}
    )
    result = CliRunner().invoke(version)
    assert result.stdout == f"{'version':<14} 1\n{'engine':<14} python\n{'openssl_access':<14} none\n"
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == ["warning", "warning"]
