"""Which store of certificates a command is about."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from lb.cli.store_options import open_place, store_options

CONFIG = """\
listen: {http: 127.0.0.1:0}
apps: {a: {domains: [a.example], production: {instances: [127.0.0.1:1]}}}
tls: {store: /somewhere/certs}
"""


@click.command()
@store_options
def show(config: Path | None, store: Path | None) -> None:
    place = open_place(config, store)
    click.echo(f"{place.store.root} {place.plan is not None}")


def said(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(show, [str(argument) for argument in arguments])
    return result.exit_code, result.output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lb.yaml"
    path.write_text(CONFIG)
    return path


def test_a_directory_a_configuration_or_neither(file: Path, tmp_path: Path) -> None:
    assert said() == (0, "certs False\n")
    assert said("--store", tmp_path) == (0, f"{tmp_path} False\n")
    assert said("-c", file) == (0, "/somewhere/certs True\n")


def test_both_are_one_too_many(file: Path, tmp_path: Path) -> None:
    code, output = said("-c", file, "--store", tmp_path)
    assert code == 2
    assert "either" in output


def test_a_configuration_that_is_wrong_is_told_as_lb_check_tells_it(file: Path) -> None:
    file.write_text("apps: 5\n")
    code, output = said("-c", file)
    assert code == 78
    assert f"{file}:1:7: error:" in output
