"""From a configuration to a running service: what a command says when that cannot be."""

from __future__ import annotations

import socket
from pathlib import Path

import click
import pytest

from lb.cli import running
from lb.cli.running import refuse, serve_config, show_problems
from lb.config.load import config_for_instances, load_bytes
from lb.config.plan import Plan, make_plan
from lb.config.problems import ConfigErrors
from lb.control.supervisor import Stopping


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(running, "log_to_stderr", lambda: None)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def plan(address: str = "127.0.0.1:0") -> Plan:
    return make_plan(config_for_instances(["127.0.0.1:1"], ["a.example"], address))


def ended(capsys: pytest.CaptureFixture[str], needed: Plan) -> tuple[int, str]:
    with pytest.raises(click.exceptions.Exit) as caught:
        serve_config(needed, Stopping())
    return caught.value.exit_code, capsys.readouterr().err


# spec: E3
def test_a_port_that_is_in_use_ends_the_command_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        address = f"127.0.0.1:{sock.getsockname()[1]}"
        code, said = ended(capsys, plan(address))
    assert code == 1
    assert said.startswith("lb: ")
    assert address in said


def test_who_requires_the_compiled_engine_gets_nothing_less(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LB_REQUIRE_COMPILED", "1")
    monkeypatch.setattr(running, "describe_build", lambda: {"engine": "python", "loop": "asyncio"})
    code, said = ended(capsys, plan())
    assert code == 1
    assert "without the compiled engine" in said
    assert "and without uvloop" in said


# spec: E3
def test_everything_that_is_wrong_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigErrors) as wrong:
        load_bytes("lb.yaml", b"apps: 5\nwrokers: 1\n", {})
    with pytest.raises(click.exceptions.Exit) as caught:
        refuse(wrong.value)
    assert caught.value.exit_code == 78
    said = capsys.readouterr().err
    assert said.count(": error: ") == len(wrong.value.problems) >= 2
    show_problems(wrong.value.problems[:1])
    assert capsys.readouterr().err == f"{wrong.value.problems[0]}\n"


def test_a_reader_that_has_gone_is_no_reason_not_to_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_output(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(click, "echo", refuse_output)
    show_problems(())
    running._say("ready")
