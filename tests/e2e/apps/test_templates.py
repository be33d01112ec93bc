"""The projects that `lb init` begins, with the real frameworks: built from wheels in a directory, and served."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness.engine import EngineHome
from tests.e2e.harness.wheels import make_index

pytestmark = pytest.mark.long

APPS = """
  web: {domains: [web.example.com, stg-web.example.com], production: {deploy: true}, staging: {deploy: true}}
  flask: {domains: flask.example.com, production: {deploy: true}}
  django: {domains: django.example.com, production: {deploy: true}}
  fastapi: {domains: fastapi.example.com, production: {deploy: true}}
"""


class UnixConnection(http.client.HTTPConnection):
    """To an instance's socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineHome]:
    wheels = make_index(tmp_path_factory.mktemp("wheels"), "flask", "django", "fastapi", "gunicorn", "uvicorn")
    home = EngineHome()
    home.write(apps=APPS)
    names = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": "/dev/null"}
    home.variables = {**names, "PIP_EXTRA_INDEX_URL": "", "PIP_CONSTRAINT": ""}
    with home:
        yield home


def started(home: EngineHome, template: str) -> Path:
    """A project from this template, which is deployed, whichever tests have run before."""
    project = home.root / template
    if not project.exists():
        assert home.lb("init", str(project), "--template", template).code == 0
        done = home.lb("deploy", template, str(project), "--prod")
        assert done.code == 0, done.err + done.out
    return project


def answer(home: EngineHome, app: str) -> tuple[int, str]:
    shown = home.lb("ps", app, "--json").json["environments"][0]
    (endpoint,) = [one["endpoint"] for one in shown["instances"]]
    connection = UnixConnection(endpoint.removeprefix("unix:"))
    connection.request("GET", "/", headers={"Host": f"{app}.example.com"})
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, body


@pytest.mark.parametrize(
    ("template", "words"),
    [("flask", "Hello from Flask"), ("django", "Hello from Django"), ("fastapi", "from FastAPI")],
)
def test_a_template_is_served(home: EngineHome, template: str, words: str) -> None:
    # spec: A3
    project = home.root / template
    assert home.lb("init", str(project), "--template", template).code == 0
    version = Path(project / ".python-version").read_text(encoding="utf-8")
    done = home.lb("deploy", template, str(project), "--prod")
    assert done.code == 0, done.err + done.out
    assert f"Python {version.strip()}" in done.out
    status, body = answer(home, template)
    assert status == 200
    assert words in body


def test_migrations_run_once_and_before_the_start(home: EngineHome) -> None:
    # spec: A2
    project = started(home, "django")
    manifest = "release: python manage.py check\n"
    (project / "leanengine.yaml").write_text(manifest, encoding="utf-8")
    done = home.lb("deploy", "django", str(project), "--prod")
    assert done.code == 0, done.err + done.out
    assert "Running the release command: python manage.py check" in done.out
    (project / "leanengine.yaml").write_text("release: python manage.py nonsense\n", encoding="utf-8")
    failed = home.lb("deploy", "django", str(project), "--prod")
    assert failed.code == 1
    assert "release command" in failed.err
    assert "Unknown command" in failed.err
    assert answer(home, "django")[0] == 200


def test_the_dependencies_of_an_earlier_build_are_used_again(home: EngineHome) -> None:
    # spec: A3
    project = started(home, "flask")
    done = home.lb("deploy", "flask", str(project), "--prod")
    assert done.code == 0, done.err + done.out
    assert "from the cache" in done.out
