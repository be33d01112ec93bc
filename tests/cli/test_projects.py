"""`lb init`, `lb up` and `lb env` as far as they work without an engine."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from lb.apps.project.detect import ProjectDefaults, read_project
from lb.apps.project.start import Serving, StartPlan
from lb.cli.env import read_assignments
from lb.cli.main import main
from lb.cli.up import command_line, environment
from lb.config.engine import EngineSettings
from lb.config.load import load_file


@pytest.mark.parametrize(("template", "serving"), [("flask", "wsgi"), ("django", "wsgi"), ("fastapi", "asgi")])
def test_a_template_is_a_project_that_can_be_deployed(tmp_path: Path, template: str, serving: str) -> None:
    done = CliRunner().invoke(main, ["init", str(tmp_path / "my-shop"), "--template", template, "--region", "US"])
    assert done.exit_code == 0, done.output
    project = read_project(tmp_path / "my-shop", ProjectDefaults())
    assert project.start.serving == Serving(serving)
    loaded = load_file(tmp_path / "my-shop" / "lb.yaml", {})
    assert loaded.warnings == ()
    app = loaded.config.apps["my-shop"]
    assert app.production is not None
    assert app.production.deploy
    assert loaded.config.engine.zone == "UTC"
    for requirement in (tmp_path / "my-shop" / "requirements.txt").read_text(encoding="utf-8").splitlines():
        assert ">=" in requirement
        assert ",<" in requirement


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import flask\nserver = flask.Flask(__name__)\n", encoding="utf-8")
    (tmp_path / ".leanignore").write_text("mine\n", encoding="utf-8")
    done = CliRunner().invoke(main, ["init", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert (tmp_path / ".leanignore").read_text(encoding="utf-8") == "mine\n"
    assert "from app import server as application" in (tmp_path / "wsgi.py").read_text(encoding="utf-8")
    assert "is there  .leanignore" in done.output
    again = CliRunner().invoke(main, ["init", str(tmp_path)])
    assert "  written" not in again.output


def test_what_a_project_from_elsewhere_says_stays_in_force(tmp_path: Path) -> None:
    files = {"Procfile": "web: gunicorn main:app\nrelease: ./migrate\n", "runtime.txt": "python-3.12.1\n"}
    code = "import flask\napp = flask.Flask(__name__)\n"
    for name, text in {**files, "main.py": code, "requirements.txt": "flask\ngunicorn\n"}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = CliRunner().invoke(main, ["init", str(tmp_path)])
    assert done.exit_code == 0, done.output
    project = read_project(tmp_path, ProjectDefaults())
    assert project.start == StartPlan(Serving.COMMAND, command="gunicorn main:app", release="./migrate")
    assert (project.python.major, project.python.origin) == (3, "runtime.txt")
    assert not (tmp_path / "leanengine.yaml").exists()


def test_up_starts_what_the_engine_would(tmp_path: Path) -> None:
    wsgi = command_line(StartPlan(Serving.WSGI, module="wsgi"), "python3", 3000, ("--workers", "2"))
    assert wsgi[-3:] == ["--workers", "2", "wsgi:application"]
    assert "127.0.0.1:3000" in wsgi
    own = command_line(StartPlan(Serving.COMMAND, command="python app.py"), "python3", 3000, ("a b",))
    assert own == ["/bin/sh", "-c", "python app.py 'a b'"]


@pytest.mark.parametrize(
    ("serving", "server"),
    [(Serving.WSGI, "waitress"), (Serving.WSGI, "granian"), (Serving.ASGI, "granian"), (Serving.ASGI, "uvicorn")],
)
def test_up_starts_the_server_that_the_project_names(serving: Serving, server: str) -> None:
    command = command_line(StartPlan(serving, module="wsgi", server=server), "python3", 3000, ("--x",))
    assert command[:3] == ["python3", "-m", server]
    assert command[-2:] == ["--x", "wsgi:application"]
    assert "3000" in " ".join(command)


def test_up_sets_the_variables_of_the_platform() -> None:
    given = {"PATH": "/bin", "LEANCLOUD_APP_ID": "mine", "LEANCLOUD_APP_ENV": "production", "OTHER": "1"}
    found = environment(given, "/venv/bin/python", 3000)
    for prefix in ("LEANCLOUD_", "LC_"):
        told = {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}
        assert told.pop("AVAILABLE_CPUS").isdigit()
        assert told == {
            **dict.fromkeys(("APP_KEY", "APP_MASTER_KEY", "APP_HOOK_KEY", "APP_INSTANCE"), ""),
            "API_SERVER": "",
            "VERSION_TAG": "",
            "APP_ID": "mine",
            "APP_ENV": "development",
            "APP_PORT": "3000",
            "APP_GROUP": "web",
            "REGION": EngineSettings().region,
        }
    assert found["TZ"] == EngineSettings().zone == "Asia/Shanghai"
    assert (found["PORT"], found["PATH"], found["OTHER"]) == ("3000", "/venv/bin:/bin", "1")
    assert environment({**given, "TZ": "UTC"}, "python3", 3000)["TZ"] == "UTC"


def test_up_says_what_a_folder_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(main, ["up"]).exit_code == 78


def test_assignments_are_read_as_a_shell_reads_them() -> None:
    text = "# a comment\nexport A=1\nB='two words'\nC=\"with # and\nline end\"\n\nD=\nE=a=b\n"
    assert read_assignments(text) == {"A": "1", "B": "two words", "C": "with # and\nline end", "D": "", "E": "a=b"}


@pytest.mark.parametrize("text", ["A", "=x", "A='unclosed", "A=1 B"])
def test_other_lines_are_wrong_usage(text: str) -> None:
    with pytest.raises(click.exceptions.Exit) as raised:
        read_assignments(text)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    "words", [["ps"], ["logs", "shop"], ["env", "shop"], ["engine", "status"], ["releases", "shop"]]
)
def test_without_an_engine_commands_say_how_to_start_one(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    file = tmp_path / "lb.yaml"
    file.write_text("", encoding="utf-8")
    done = CliRunner().invoke(main, [*words, "--file", str(file)])
    assert done.exit_code == 1
    assert "lb engine start" in done.output


def test_the_doctor_says_what_the_machine_can_do() -> None:
    done = CliRunner().invoke(main, ["doctor", "--engine"])
    assert done.exit_code == 0, done.output
    assert "Apps run with isolation:" in done.output
    assert CliRunner().invoke(main, ["doctor"]).exit_code == 2
