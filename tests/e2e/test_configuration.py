"""A bad configuration is refused with everything that is wrong in it: clauses R1 and R5."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.e2e.harness.client import get
from tests.e2e.harness.door import FrontDoor, configure, run_lb
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import Echo, echo

GOOD = """\
listen:
  http: 127.0.0.1:0
apps:
  shop:
    domains: [shop.example.com]
    production:
      instances: [127.0.0.1:3000]
"""


def _run(command: str, path: Path, text: str) -> tuple[int, str]:
    file = path / "lb.yaml"
    file.write_text(text)
    done = run_lb(command, str(file))
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("wrong", "line", "told"),
    [
        (GOOD.replace("listen:", "lisen:"), 1, "listen"),
        (GOOD.replace("instances:", "instance:"), 7, "instances"),
        (GOOD.replace("127.0.0.1:3000", "127.0.0.1:99999"), 7, "99999"),
        (GOOD + "workers: many\n", 8, "many"),
        (GOOD + "limits: {body: 100X}\n", 8, "100X"),
        (GOOD + "timeouts: {idle: soon}\n", 8, "soon"),
        (GOOD + "listen: {http: 127.0.0.1:0}\n", 8, "listen"),
        (GOOD + "workers: [1\n", 8, ""),
        (GOOD.replace("production:", "production:\n      balance: round_robbin"), 7, "round_robin"),
        (GOOD + "workers: -1\n", 8, "-1"),
        (GOOD + "trusted_proxies: [10.0.0.0/99]\n", 8, "10.0.0.0/99"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(tmp_path: Path, wrong: str, line: int, told: str) -> None:
    # spec: R1, R5
    code, text = _run("check", tmp_path, wrong)
    assert code == 78
    assert f"lb.yaml:{line}:" in text, text
    assert told in text


def test_a_bad_file_is_not_served(tmp_path: Path) -> None:
    # spec: R1, R5
    code, text = _run("serve", tmp_path, GOOD.replace("listen:", "lisen:"))
    assert code == 78
    assert "lb.yaml:1:" in text
    assert "listening" not in text


def test_all_errors_are_told_at_once(tmp_path: Path) -> None:
    # spec: R1
    code, text = _run("check", tmp_path, GOOD.replace("listen:", "lisen:") + "workers: many\nlimits: {boddy: 1}\n")
    assert code == 78
    for place in ("lb.yaml:1:", "lb.yaml:8:", "lb.yaml:9:"):
        assert place in text
    assert "body" in text


def test_a_good_file_passes_the_check(tmp_path: Path) -> None:
    # spec: R1, R5
    code, text = _run("check", tmp_path, GOOD)
    assert code == 0, text


def test_values_may_use_variables(tmp_path: Path) -> None:
    # spec: R1
    with Instance(echo()) as instance:
        config = configure("${APP_ADDRESS}", domains=("${NAME:-shop.example.com}",))
        with FrontDoor(config, tmp_path, env={"APP_ADDRESS": instance.address}) as door:
            assert Echo(door.ask(get())).instance == "one"


def test_a_variable_that_is_not_set_is_an_error(tmp_path: Path) -> None:
    # spec: R1
    code, text = _run("check", tmp_path, GOOD.replace("127.0.0.1:3000", "${LB_TEST_NOT_SET}"))
    assert code == 78
    assert "LB_TEST_NOT_SET" in text
    assert "lb.yaml:7:" in text


@pytest.mark.parametrize("arguments", [("serve", "--nonsense"), ("nonsense",), ("check",), ("check", "a", "b")])
def test_wrong_usage_is_2(arguments: tuple[str, ...]) -> None:
    # spec: R5
    done = run_lb(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_missing_file_is_told_without_a_traceback(tmp_path: Path) -> None:
    # spec: R5
    done = run_lb("serve", str(tmp_path / "missing.yaml"))
    assert done.returncode == 78
    assert "missing.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_1_with_the_reason(tmp_path: Path) -> None:
    # spec: R5
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, text = _run("serve", tmp_path, GOOD.replace("127.0.0.1:0", f"127.0.0.1:{port}"))
    assert code == 1
    assert str(port) in text


def test_certificate_files_are_checked(tmp_path: Path) -> None:
    # spec: R1, T4
    wrong = GOOD.replace("127.0.0.1:0", "127.0.0.1:0\n  https: 127.0.0.1:0")
    wrong += f"tls: {{certificates: [{{cert: {tmp_path}/none.pem, key: {tmp_path}/none.key}}]}}\n"
    for command in ("check", "serve"):
        code, text = _run(command, tmp_path, wrong)
        assert code == 78
        assert "none.pem" in text


def test_version_and_help_are_0() -> None:
    # spec: R5
    for arguments in (("--help",), ("version",), ("serve", "--help"), ("config", "schema"), ("config", "example")):
        done = run_lb(*arguments)
        assert done.returncode == 0, (arguments, done.stderr)
        assert done.stdout
