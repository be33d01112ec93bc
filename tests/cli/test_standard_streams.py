"""What the command does with the three descriptors that it is given: closed, full, or without a reader."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lb import _engine
from tests.e2e.harness.client import Client, get
from tests.e2e.harness.door import command_environment, configure
from tests.e2e.harness.instance import Instance, reserve
from tests.e2e.harness.scripts import echo
from tests.e2e.harness.waiting import wait_for

pytestmark = pytest.mark.long

_FULL = "/dev/full"
_CLOSED = [closed for count in (1, 2, 3) for closed in itertools.combinations((0, 1, 2), count)]


def lb(shell: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`lb` with `arguments`, and what `shell` says about its descriptors."""
    command = ["bash", "-c", f'exec "$@" {shell}', "bash", sys.executable, "-m", "lb", *arguments]
    environ = command_environment(environment)
    environ.pop("PYTHONUNBUFFERED")  # it is not what an operator has
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environ, timeout=60)


@pytest.mark.parametrize("closed", _CLOSED, ids=str)
def test_a_service_with_closed_descriptors_serves_and_stops_well(tmp_path: Path, closed: tuple[int, ...]) -> None:
    # spec: R2, R5
    with reserve() as sock:
        port = sock.getsockname()[1]
    with Instance(echo()) as instance:
        arguments = ("serve", "--to", instance.address, "--http", f"127.0.0.1:{port}")
        closing = " ".join(f"{one}{'<' if one == 0 else '>'}&-" for one in closed)
        command = ["bash", "-c", f'exec "$@" {closing}', "bash", sys.executable, "-m", "lb", *arguments]
        with (tmp_path / "stderr").open("w+b") as stderr:
            service = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, env=command_environment()
            )
            try:
                wait_for(lambda: service.poll() is not None or answers(port), "it to serve", 30)
                assert service.poll() is None, (tmp_path / "stderr").read_text()
                for descriptor in closed:
                    assert str(Path(f"/proc/{service.pid}/fd/{descriptor}").readlink()) == "/dev/null"
                service.send_signal(signal.SIGTERM)
                assert service.wait(20) == 0
            finally:
                service.kill()
                service.wait()
        said = (tmp_path / "stderr").read_text()
        assert "Traceback" not in said
        assert "Fatal" not in said


def answers(port: int) -> bool:
    try:
        with Client(("127.0.0.1", port)) as client:
            return client.ask(get()).status == 200
    except ConnectionError:
        return False


def test_a_service_whose_stderr_is_full_serves(tmp_path: Path) -> None:
    # spec: R2, R5
    with reserve() as sock:
        port = sock.getsockname()[1]
    with Instance(echo()) as instance:
        file = tmp_path / "lb.yaml"
        file.write_text(str(configure(instance.address, listen={"http": f"127.0.0.1:{port}"})).replace("'", '"'))
        with Path(_FULL).open("w") as full:
            service = subprocess.Popen(
                [sys.executable, "-m", "lb", "serve", str(file)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=full,
                env=command_environment(),
            )
        try:
            wait_for(lambda: service.poll() is not None or answers(port), "it to serve", 30)
            service.send_signal(signal.SIGTERM)
            assert service.wait(20) == 0
        finally:
            service.kill()
            service.wait()


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["version"],
        ["--version"],
        ["--help"],
        ["help", "serve"],
        ["config", "example"],
        ["config", "schema"],
    ],
    ids=" ".join,
)
def test_output_that_cannot_be_written_is_one_line(arguments: list[str], unbuffered: str) -> None:
    # spec: R5
    ended = lb(f">{_FULL}", *arguments, PYTHONUNBUFFERED=unbuffered)
    assert (ended.returncode, ended.stderr) == (1, "lb: the output cannot be written: No space left on device\n")


def test_a_reader_that_leaves_is_told_nothing() -> None:
    # spec: R5
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-m", "lb", "config", "schema"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env=command_environment(),
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, "")


@pytest.mark.parametrize("arguments", [["version"], ["serve", "--to", "127.0.0.1:1"], ["--help"]], ids=" ".join)
def test_an_engine_that_there_is_not_is_one_line(arguments: list[str]) -> None:
    # spec: R5
    ended = lb("", *arguments, LB_ENGINE="foo")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == 'lb: LB_ENGINE is "foo"; it can be "compiled" or "python"\n'


def test_a_compiled_engine_that_was_not_built_is_one_line(tmp_path: Path) -> None:
    # spec: R5
    package = tmp_path / "lb"
    package.mkdir()
    source = Path(_engine.__file__).parent
    for file in source.rglob("*"):
        if file.suffix in (".py", ".pxd", ".yaml"):
            copy = package / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    for variable in ("LB_REQUIRE_COMPILED", "LB_ENGINE"):
        value = "1" if variable == "LB_REQUIRE_COMPILED" else "compiled"
        environ = {**command_environment(), variable: value, "PYTHONPATH": str(tmp_path)}
        environ.pop("LB_ENGINE" if variable != "LB_ENGINE" else "LB_REQUIRE_COMPILED", None)
        ended = subprocess.run(
            [sys.executable, "-m", "lb", "version"],
            capture_output=True,
            text=True,
            check=False,
            env=environ,
            cwd=tmp_path,
        )
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr.startswith(f"lb: {variable}={value} is set, but this installation has no compiled engine")
        assert ended.stderr.count("\n") == 1


def test_other_programs_get_an_import_error() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "import lb.http.scan"],
        capture_output=True,
        text=True,
        check=False,
        env=command_environment({"LB_ENGINE": "foo"}),
    )
    assert ended.returncode == 1
    assert 'EngineError: LB_ENGINE is "foo"' in ended.stderr
