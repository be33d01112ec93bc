"""Real projects deployed, updated and rolled back while requests come: none fails, whatever serves the project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.e2e.harness.platform import Platform, assert_unharmed, platform
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wheels import make_index
from tests.e2e.projects import sources

pytestmark = pytest.mark.long

PROJECTS = {
    "flask": sources.FLASK,
    "fastapi": sources.FASTAPI,
    "plain": sources.PLAIN,
    "monorepo": sources.MONOREPO,
    "boilerplate": sources.BOILERPLATE,
    "boilerplate-run": sources.BOILERPLATE_RUN,
}
APPS = {**{name: {"count": 2} for name in PROJECTS}, "django": {"count": 2}, "refused": {}, "nowhere": {}}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    packages = ("flask", "django", "fastapi", "websockets", "gunicorn", "uvicorn")
    with platform(APPS, index=make_index(tmp_path_factory.mktemp("wheels"), *packages)) as both:
        yield both


@pytest.mark.parametrize("name", PROJECTS)
def test_it_is_deployed_updated_and_rolled_back_under_load(both: Platform, name: str, tmp_path: Path) -> None:
    # spec: A2, A3, A6
    files = PROJECTS[name]
    both.deploy(name, sources.write(files, tmp_path))
    assert both.text(name).startswith("one"), "once the command has returned, requests are served"
    with both.steady_load(name) as outcomes:
        both.deploy(name, sources.write(files, tmp_path, "two"))
        assert both.text(name).startswith("two")
        both.command("rollback", name)
        assert both.text(name).startswith("one")
        both.command("restart", name)
        both.wait_drained(name)
    assert_unharmed(outcomes)


def test_a_web_socket_goes_on_while_the_next_version_serves(both: Platform, tmp_path: Path) -> None:
    # spec: A2 F4
    both.deploy("fastapi", sources.write(sources.FASTAPI, tmp_path, "old"))
    address, domain = "ws://fastapi.example.com/echo", both.domain("fastapi")  # TLS ends in the socket's own layer
    with connect(address, sock=domain.connect().sock) as old:
        old.send("hello")
        assert old.recv(10) == "old hello"
        with both.steady_load("fastapi") as outcomes:
            both.deploy("fastapi", sources.write(sources.FASTAPI, tmp_path, "new"))
            old.send("still here")
            assert old.recv(10) == "old still here"
            with connect(address, sock=domain.connect().sock) as new:
                new.send("hello")
                assert new.recv(10) == "new hello"
            with pytest.raises(ConnectionClosed):  # at the end of the drain, by the app itself
                old.recv(60)
            both.wait_drained("fastapi")
        assert_unharmed(outcomes)
    lines = both.command("logs", "fastapi", "-n", "100").out
    assert "lifespan begins" in lines
    assert "lifespan ends" in lines


def test_django_migrates_once_collects_its_files_and_is_reached_by_https_alone(both: Platform, tmp_path: Path) -> None:
    # spec: A2, A3
    database = tmp_path / "db.sqlite3"
    both.command("env", "django", "set", f"SQLITE={database}", "SECRET_KEY=of-the-environment")
    project = sources.write(sources.DJANGO, tmp_path / "project")
    done = both.deploy("django", project)
    assert "Running the release command: python manage.py migrate" in done.out
    version, notes, first = both.text("django").split()
    assert (version, notes) == ("one", "1")
    assert both.text("django", first) == "body { color: black }\n"
    with both.steady_load("django") as outcomes:
        second = sources.write(sources.DJANGO, project, "two", notes__migrations__0002_more_py=SECOND_MIGRATION)
        (second / "notes/static/style.css").write_text("body { color: white }\n", encoding="utf-8")
        both.deploy("django", second)
        version, notes, second_style = both.text("django").split()
        assert (version, notes) == ("two", "2"), "two instances, and the migration ran once"
        assert second_style != first
        assert both.text("django", second_style) == "body { color: white }\n"
        failed = both.try_deploy(
            "django", sources.write(sources.DJANGO, project, "three", notes__migrations__0003_bad_py=BAD_MIGRATION)
        )
        assert failed.code == 1
        assert "release command" in failed.err
        assert "no such table: nonsense" in failed.err
        assert both.text("django").startswith("two 2")
        rolled = both.command("rollback", "django")
        assert both.text("django").startswith("one 2"), "the data stay as they are"
        assert "release command" not in rolled.out
        both.wait_drained("django")
    assert_unharmed(outcomes)


SECOND_MIGRATION = """\
from django.db import migrations


def add_one(apps, schema_editor):
    apps.get_model("notes", "Note").objects.create(text="by the second")


class Migration(migrations.Migration):
    dependencies = [("notes", "0001_initial")]
    operations = [migrations.RunPython(add_one, migrations.RunPython.noop)]
"""
BAD_MIGRATION = """\
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("notes", "0002_more")]
    operations = [migrations.RunSQL("DROP TABLE nonsense")]
"""
RUNSERVER = "run: python manage.py runserver --noreload 127.0.0.1:$LEANCLOUD_APP_PORT\n"  # trusts no field by itself
SETTINGS = sources.DJANGO["mysite/settings.py"]


@pytest.mark.parametrize(
    ("settings", "run", "sentence", "step"),
    [
        pytest.param(
            SETTINGS.replace("django.example.com", "other.example.com"),
            "",
            "answers 400 to GET /: Django does not allow the host refused.example.com",
            "Add 'refused.example.com' to ALLOWED_HOSTS.",
            id="host",
        ),
        pytest.param(
            SETTINGS.replace("django.example.com", "refused.example.com").replace("SECURE_PROXY_SSL_HEADER", "NOTHING"),
            RUNSERVER,
            "answers 301 to GET /, a redirect to https://refused.example.com/",
            "SECURE_PROXY_SSL_HEADER = ('HTTP_X_FORWARDED_PROTO', 'https')",
            id="scheme",
        ),
    ],
)
def test_what_django_refuses_is_said(
    both: Platform, tmp_path: Path, settings: str, run: str, sentence: str, step: str
) -> None:
    manifest = f"startupTimeout: 15\nbuild: python manage.py collectstatic --noinput\n{run}"
    no_database = sources.DJANGO["mysite/urls.py"].replace("Note.objects.count()", "0")
    project = sources.write(
        sources.DJANGO,
        tmp_path,
        mysite__settings_py=settings,
        mysite__urls_py=no_database,
        leanengine_yaml=manifest,
    )
    failed = both.try_deploy("refused", project)
    assert failed.code == 1
    assert sentence in failed.err
    assert step in failed.err


def test_an_app_without_a_home_page_is_told_what_would_pass(both: Platform, tmp_path: Path) -> None:
    app = "from fastapi import FastAPI\napplication = FastAPI()\n"
    manifest = "startupTimeout: 15\n"
    project = sources.write({"requirements.txt": "fastapi\n", "asgi.py": app, "leanengine.yaml": manifest}, tmp_path)
    failed = both.try_deploy("nowhere", project)
    assert failed.code == 1
    assert "answers 404 to GET / (Host: nowhere.example.com)" in failed.err
    assert "health_uri" in failed.err


def test_the_log_has_the_app_s_own_words(both: Platform, tmp_path: Path) -> None:
    # spec: G1
    both.deploy("flask", sources.write(sources.FLASK, tmp_path))
    assert both.ask("flask", "/fail").status == 500

    def told() -> str:
        lines = both.command("logs", "flask", "--stderr", "-n", "100").out
        return lines if "RuntimeError: on purpose" in lines else ""

    assert "about to fail" in wait_for(told, "the traceback to be logged")
