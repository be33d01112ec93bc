"""The command line itself: help, usage errors, exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from lb import __version__
from lb.cli.build import describe_build
from lb.cli.main import main
from tests.e2e.harness.door import command_environment


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(arguments), prog_name="lb")
    return result.exit_code, result.output


def test_help_lists_every_command_and_imports_none() -> None:
    script = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from lb.cli.main import main\n"
        "print(CliRunner().invoke(main, ['--help']).output)\n"
        "heavy = {'pydantic', 'yaml', 'uvloop', 'cryptography', 'aiohttp', 'rich'} & sys.modules.keys()\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    python = [sys.executable, "-c", script]
    ended = subprocess.run(python, capture_output=True, text=True, check=False, env=command_environment())
    assert ended.returncode == 0, ended.stderr
    for command in ("serve", "demo", "check", "config", "version"):
        assert f"\n  {command} " in ended.stdout


@pytest.mark.parametrize("command", ["serve", "demo", "check", "config", "version"])
def test_every_command_of_the_list_exists_and_has_help(command: str) -> None:
    context = click.Context(main)
    assert main.get_command(context, command) is not None
    code, output = invoke(command, "--help")
    assert code == 0
    assert output.startswith(f"Usage: lb {command}")


@pytest.mark.parametrize(
    "arguments",
    [
        ["unknown"],
        ["serve"],
        ["serve", "lb.yaml", "--to", "127.0.0.1:8000"],
        ["serve", "lb.yaml", "--domain", "shop.example.com"],
        ["serve", "--to", "nonsense"],
        ["serve", "--to", "127.0.0.1:8000", "--domain", "http://shop.example.com"],
        ["serve", "--to", "127.0.0.1:8000", "--http", "8080"],
        ["serve", "--unknown"],
        ["demo", "FILE"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:  # spec: R5
    code, output = invoke(*arguments)
    assert code == 2, output
    assert output.strip()


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["statsu"], 'There is no command "statsu". Did you mean status?'),
        (["relaod", "lb.yaml"], "Did you mean reload?"),
        (["xyz"], "The commands are serve, demo, check,"),
        (["certs", "lst"], "Did you mean list?"),
        (["config", "exmaple"], "Did you mean example?"),
        (["help", "srve"], "Did you mean serve?"),
        (["help", "serve", "now"], '"lb serve" has no subcommands.'),
        (["serve", "--htp", ":80"], "--http"),
        (["status", "--jsno"], "--json"),
    ],
    ids=str,
)
def test_a_mistyped_word_gets_the_nearest_one(arguments: list[str], meant: str) -> None:  # spec: R5
    code, output = invoke(*arguments)
    assert code == 2
    assert meant in output


@pytest.mark.parametrize("arguments", [[], ["serve"], ["certs"], ["certs", "list"], ["help"]], ids=" ".join)
def test_help_is_a_command_too(arguments: list[str]) -> None:
    assert invoke("help", *arguments) == invoke(*arguments, "--help")


def test_a_bad_configuration_is_exit_code_78_with_its_place(tmp_path: Path) -> None:  # spec: R1, R5
    file = tmp_path / "lb.yaml"
    file.write_text("listen: {http: 127.0.0.1:0}\nworkerz: 2\napps: {}\n")
    code, output = invoke("serve", str(file))
    assert code == 78
    assert f"{file}:2:1" in output


def test_a_missing_file_is_exit_code_78(tmp_path: Path) -> None:  # spec: R5
    assert invoke("serve", str(tmp_path / "none.yaml"))[0] == 78


def test_version_says_what_it_runs_on() -> None:
    code, output = invoke("version")
    assert code == 0
    values = dict(line.split(maxsplit=1) for line in output.splitlines() if not line.startswith("warning: "))
    assert values["version"] == __version__
    assert values["engine"] in ("compiled", "python")
    assert values["python"].endswith(".".join(map(str, sys.version_info[:3])))
    assert set(values) == {"version", "engine", "loop", "transport", "tls", "python", "openssl", "openssl_access"}
    assert values["openssl_access"] == "full"


def test_version_warns_of_an_openssl_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lb.cli.build.reach", lambda: None)
    code, output = invoke("version")
    assert code == 0
    assert "warning: lb cannot call this Python's OpenSSL: the keys of session tickets stay the same" in output


def test_a_fallback_is_an_error_where_the_compiled_engine_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    build = {**describe_build(), "engine": "python", "loop": "asyncio"}
    monkeypatch.setattr("lb.cli.running.describe_build", lambda: build)
    monkeypatch.setenv("LB_REQUIRE_COMPILED", "1")
    code, output = invoke("serve", "--to", "127.0.0.1:8000", "--http", "127.0.0.1:0")
    assert code == 1
    assert "without the compiled engine" in output
    assert "without uvloop" in output
