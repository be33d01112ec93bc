"""`lb import` as a user runs it: what is printed where, the exit code, and files beside the configuration."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lb.cli.check import check
from lb.cli.main import main

GOOD = "server { listen 80; server_name shop.example.com;\nlocation / { proxy_pass http://127.0.0.1:3000; } }\n"
BOB = "$2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG"
USERS = f"http://shop.example.com {{\n basic_auth {{\n  bob {BOB}\n }}\n reverse_proxy 127.0.0.1:3000\n}}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["import", *arguments], prog_name="lb")


def test_all_of_it_is_said(folder: Path) -> None:
    # spec: R5
    Path("nginx.conf").write_text(GOOD)
    result = run("nginx.conf")
    assert (result.exit_code, result.stderr) == (0, "")
    Path("lb.yaml").write_text(result.stdout)
    checked = CliRunner().invoke(check, ["lb.yaml"])
    assert checked.exit_code == 0
    assert checked.stdout == "lb.yaml is fine: 1 listener, 1 app, 1 domain, 1 instance\n"


def test_something_is_left_out_heaviest_first(folder: Path) -> None:
    # spec: R5
    Path("nginx.conf").write_text(
        GOOD.replace("location", "access_log off;\nmodsecurity on;\nproxy_cache a;\nlocation")
    )
    result = run("nginx.conf")
    assert result.exit_code == 3
    heads = [line for line in result.stderr.splitlines() if not line.startswith(" ")]
    assert [head.split(":")[1:3] for head in heads[:3]] == [["3", " access"], ["4", " behaviour"], ["2", " logging"]]
    assert heads[3] == "lb import: 3 things were left out or differ: 1 of access, 1 of behaviour, 1 of logging"
    assert "127.0.0.1:3000" in result.stdout


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("nginx.conf", "server {", "nginx.conf:1: the block that begins here"),
        ("nginx.conf", None, "nginx.conf: this file cannot be read: No such file or directory"),
        ("Caddyfile", "a {", "Caddyfile:1: the block that begins here"),
        ("compose.yaml", "services: [", "compose.yaml:1: "),
    ],
)
def test_a_file_that_cannot_be_read(folder: Path, name: str, text: str | None, message: str) -> None:
    # spec: R5
    if text is not None:
        Path(name).write_text(text)
    result = run(name)
    assert (result.exit_code, result.stdout) == (78, "")
    assert result.stderr.startswith(f"lb: {message}")


def test_the_language_can_be_named(folder: Path) -> None:
    Path("shop").write_text("http://shop.example.com {\n reverse_proxy 127.0.0.1:3000\n}\n")
    assert run("shop").exit_code == 78
    assert run("--from", "caddy", "shop").exit_code == 0


def test_files_of_users_are_written_beside_the_configuration(folder: Path) -> None:
    Path("Caddyfile").write_text(USERS)
    (folder / "out").mkdir()
    result = run("Caddyfile", "-o", "out/lb.yaml")
    assert (result.exit_code, result.output) == (0, "")
    assert "basic_auth: out/htpasswd" in Path("out/lb.yaml").read_text()
    assert Path("out/htpasswd").read_text() == f"bob:{BOB}\n"
    assert stat.S_IMODE(Path("out/htpasswd").stat().st_mode) == 0o600


def test_files_of_users_that_are_not_written_are_told(folder: Path) -> None:
    Path("Caddyfile").write_text(USERS)
    result = run("Caddyfile")
    assert result.exit_code == 3
    assert "access: the file htpasswd has to be made" in result.stderr
    assert "$2a$" not in result.output


@pytest.mark.parametrize("taken", ["lb.yaml", "htpasswd"])
def test_nothing_is_overwritten(folder: Path, taken: str) -> None:
    Path("Caddyfile").write_text(USERS)
    Path(taken).write_text("mine")
    result = run("Caddyfile", "-o", "lb.yaml")
    assert result.exit_code == 1
    assert result.stderr == f"lb: {taken}: File exists\n"
    assert Path(taken).read_text() == "mine"


def test_an_odd_name_is_shown_safely(folder: Path) -> None:
    Path("\x1b[31m.conf").write_text(GOOD)
    result = run("\x1b[31m.conf")
    assert (result.exit_code, "\x1b" in result.output) == (0, False)


def test_several_files_are_for_compose_alone(folder: Path) -> None:
    Path("a.conf").write_text(GOOD)
    Path("b.conf").write_text(GOOD)
    assert run("a.conf", "b.conf").exit_code == 78
