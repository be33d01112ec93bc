"""The command for each way of serving."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from lb.apps.project.start import Serving, StartPlan
from lb.apps.run.serve_command import ServerPlace, own_command, serve_command

LISTEN = ServerPlace(
    "/run/lb/i/1a2b3c4d/app/sock", "/venv/bin/python", "/run/lb/i/1a2b3c4d/server.py", "shop.web1", 10.0
)
_SEED = (
    "uwsgi --gevent 5000 --http :3000 --wsgi-file wsgi.py --master --process=${LEANCLOUD_AVAILABLE_CPUS} --disable-log"
)


def test_gunicorn_reads_a_file_that_every_version_understands() -> None:
    serve = serve_command(StartPlan(Serving.WSGI, module="mysite.wsgi", server="gunicorn"), LISTEN)
    assert serve.argv == (
        "/venv/bin/python",
        "-m",
        "gunicorn.app.wsgiapp",
        "-c",
        LISTEN.config_path,
        "mysite.wsgi:application",
    )
    assert serve.socket
    names: dict[str, object] = {}
    exec(compile(serve.config, "server.py", "exec"), names)
    assert names["bind"] == "unix:/run/lb/i/1a2b3c4d/app/sock"
    assert names["worker_class"] == "gthread"
    assert names["control_socket_disable"] is True
    assert names["graceful_timeout"] == 9


@pytest.mark.parametrize(
    ("text", "has_gevent", "worker"),
    [
        ("from gevent import monkey\nmonkey.patch_all()\n", True, "gevent"),
        ("from gevent import monkey\nmonkey.patch_all()\n", False, "gthread"),
        ("import gevent\n", True, "gthread"),
        (None, True, "gthread"),
    ],
)
def test_an_app_that_patches_python_for_gevent_is_served_by_gevent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, has_gevent: bool, worker: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "gevent", ModuleType("gevent") if has_gevent else None)
    if text is not None:
        (tmp_path / "wsgi.py").write_text(text, encoding="utf-8")
    serve = serve_command(StartPlan(Serving.WSGI, module="wsgi", server="gunicorn"), LISTEN)
    names: dict[str, object] = {}
    exec(compile(serve.config, "server.py", "exec"), names)
    assert names["worker_class"] == worker


def test_gunicorn_is_the_default_of_wsgi_and_uvicorn_of_asgi() -> None:
    assert "gunicorn.app.wsgiapp" in serve_command(StartPlan(Serving.WSGI), LISTEN).argv
    uvicorn = serve_command(StartPlan(Serving.ASGI, module="asgi"), LISTEN)
    assert uvicorn.argv[:5] == ("/venv/bin/python", "-m", "uvicorn", "--uds", LISTEN.socket)
    assert uvicorn.argv[-1] == "asgi:application"
    assert uvicorn.config == ""


@pytest.mark.parametrize("server", ["gunicorn", "uvicorn", "granian", "waitress"])
def test_each_server_gets_the_socket(server: str) -> None:
    serving = Serving.ASGI if server == "uvicorn" else Serving.WSGI
    serve = serve_command(StartPlan(serving, server=server), LISTEN)
    assert serve.socket
    assert any(LISTEN.socket in word for word in (*serve.argv, serve.config))


def test_granian_is_told_the_interface() -> None:
    argv = serve_command(StartPlan(Serving.ASGI, server="granian"), LISTEN).argv
    assert argv[argv.index("--interface") + 1] == "asgi"


@pytest.mark.parametrize(
    "command",
    [
        "python app.py",
        _SEED,
        "gunicorn -b 127.0.0.1:$PORT 'app:create()'",
        "iftop",
    ],
)
def test_one_program_takes_the_shell_s_place(command: str) -> None:
    serve = own_command(command)
    assert serve.argv == ("/bin/sh", "-c", f"exec {command}")
    assert (serve.shell, serve.socket) == (False, False)


@pytest.mark.parametrize(
    "command",
    [
        "cd src && python app.py", "A=1 python app.py", "python a.py & python b.py", "echo $(date)",
        "exec python app.py",
        "exit 5",
        "{ python app.py; }", "if true; then x; fi", "python app.py | tee log", "export A=1\npython app.py", "! true",
    ],
)  # fmt: skip
def test_what_is_more_than_one_program_stays_a_shell_s(command: str) -> None:
    serve = own_command(command)
    assert serve.argv == ("/bin/sh", "-c", command)
    assert serve.shell
