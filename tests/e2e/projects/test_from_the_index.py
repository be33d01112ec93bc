"""Projects whose packages come from an index: the platform's SDK, the seeds' uWSGI line, and Python 2.7."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from lb.apps.build.pythons import find_pythons
from tests.apps.run.needs import need_private_network
from tests.e2e.harness.door import Config
from tests.e2e.harness.platform import Platform, assert_unharmed, platform
from tests.e2e.projects import sources

pytestmark = [pytest.mark.long, pytest.mark.slow, pytest.mark.timeout(600)]

UWSGI = (
    "run: uwsgi --gevent 5000 --http :3000 --wsgi-file wsgi.py --master --process=${LEANCLOUD_AVAILABLE_CPUS} "
    "--disable-log\n"
)
WITH_SDK = """\
from gevent import monkey
monkey.patch_all()

import os

import leancloud
from flask import Flask

VERSION = "one"
app = Flask(__name__)
PORT = int(os.environ["LEANCLOUD_APP_PORT"])
leancloud.init(os.environ["LEANCLOUD_APP_ID"], app_key=os.environ["LEANCLOUD_APP_KEY"])
engine = leancloud.Engine(app)


@engine.define
def hello(**params):
    return "hello"


@app.route("/", methods=["GET", "POST"])
def index():
    return VERSION


application = engine

if __name__ == "__main__":
    from gevent.pywsgi import WSGIServer

    WSGIServer(("127.0.0.1", PORT), application, log=None).serve_forever()
"""
ON_TWO = {
    "requirements.txt": "Flask>=1.1,<2\n",
    ".python-version": "2.7\n",
    "app.py": """\
# coding: utf-8
from __future__ import print_function
import sys
from flask import Flask

VERSION = "one"
app = Flask(__name__)


@app.route("/", methods=["GET", "POST"])
def index():
    return "%s on Python %d" % (VERSION, sys.version_info[0])
""",
    "wsgi.py": "from app import app as application\n",
}
APPS: dict[str, Config] = {
    "uwsgi": {"count": 2, "network": "private"},
    "beside": {},
    "sdk": {"count": 2, "functions_mode": "strict"},
    "sdk-run": {"count": 2, "functions_mode": "strict"},
    "two": {"count": 2},
}


@pytest.fixture(scope="module")
def both() -> Iterator[Platform]:
    with platform(APPS, isolation="auto") as both:
        yield both


def need_python(version: str) -> None:
    if not any(str(one).startswith(version) for one in asyncio.run(find_pythons(()))):
        pytest.skip(f"Python {version} is not installed here")


def update_and_roll_back(both: Platform, app: str, files: sources.Files, folder: Path) -> None:
    """A version more, and back, under load."""
    both.deploy(app, sources.write(files, folder))
    assert both.text(app).startswith("one")
    with both.steady_load(app) as outcomes:
        both.deploy(app, sources.write(files, folder, "two"))
        assert both.text(app).startswith("two")
        both.command("rollback", app)
        assert both.text(app).startswith("one")
        both.wait_drained(app)
    assert_unharmed(outcomes)


def test_uwsgi_on_its_own_port_of_a_network_of_its_own(both: Platform, tmp_path: Path) -> None:
    # spec: A3
    need_private_network()
    files = {**sources.FLASK, "requirements.txt": "Flask\nuWSGI\ngevent\n", "leanengine.yaml": UWSGI}
    update_and_roll_back(both, "uwsgi", files, tmp_path)


def test_uwsgi_in_the_machine_s_network_is_told_the_key(both: Platform, tmp_path: Path) -> None:
    manifest = UWSGI + "startupTimeout: 15\n"
    files = {**sources.FLASK, "requirements.txt": "Flask\nuWSGI\ngevent\n", "leanengine.yaml": manifest}
    failed = both.try_deploy("beside", sources.write(files, tmp_path))
    assert failed.code == 1
    assert "web1 listens on 0.0.0.0:3000, " in failed.err
    assert ", not on LEANCLOUD_APP_PORT 2" in failed.err
    assert "network: private" in failed.err


@pytest.mark.parametrize("app", ["sdk", "sdk-run"])
def test_the_sdk_of_the_platform(both: Platform, tmp_path: Path, app: str) -> None:
    # spec: A3
    need_python("3.8")
    files = {
        "requirements.txt": "leancloud>=2.9.4,<3\nFlask>=1.0\nmarkupsafe<=2.0.1\ngevent-websocket>=0.9.5,<1\n",
        ".python-version": "3.8\n",
        "wsgi.py": WITH_SDK,
        **({"leanengine.yaml": "run: python wsgi.py\n"} if app == "sdk-run" else {}),
    }
    update_and_roll_back(both, app, files, tmp_path)
    if app == "sdk-run":  # the SDK begins its answer twice, which gunicorn refuses: there the app's own page passes
        assert "cpython-3.8" in both.text(app, "/__engine/1/ping")


def test_an_app_on_python_2(both: Platform, tmp_path: Path) -> None:
    need_python("2.7")
    update_and_roll_back(both, "two", ON_TWO, tmp_path)
    assert both.text("two") == "one on Python 2"
    assert "Traceback" not in both.command("logs", "two", "-n", "100").out
