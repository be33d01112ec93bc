"""A folder → how it is built and started, or the one sentence that says why it cannot be and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from lb.apps.project.detect import ProjectDefaults, read_project, refuse_environment
from lb.apps.project.errors import ProjectError
from lb.apps.project.start import Serving, StartPlan

FLASK = "from flask import Flask\napplication = Flask(__name__)\n"
FASTAPI = "from fastapi import FastAPI\napplication = FastAPI()\n"
MANAGE = 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")\n'


def project(tmp_path: Path, **files: str) -> Path:
    """A folder with these files; `__` in a name stands for /, `_dot_` for a dot."""
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_a_flask_app(tmp_path: Path) -> None:
    # spec: B1, B2
    found = read_project(project(tmp_path, wsgi_dot_py=FLASK, requirements_dot_txt="Flask>=3.1,<4\n"))
    assert found.start == StartPlan(Serving.WSGI, module="wsgi", server="gunicorn")
    assert found.root == tmp_path
    assert str(found.python) == ""
    assert not found.notes


def test_a_fastapi_app(tmp_path: Path) -> None:
    found = read_project(project(tmp_path, asgi_dot_py=FASTAPI, requirements_dot_txt="fastapi\n"))
    assert found.start == StartPlan(Serving.ASGI, module="asgi", server="uvicorn")


def test_run_needs_no_wsgi_py(tmp_path: Path) -> None:
    # spec: B3, B4
    files = project(tmp_path, requirements_dot_txt="", leanengine_dot_yaml="run: python app.py\nstartupTimeout: 60\n")
    assert read_project(files).start == StartPlan(Serving.COMMAND, "python app.py", startup_timeout=60.0)


def test_run_comes_before_wsgi_py_and_wsgi_py_before_asgi_py(tmp_path: Path) -> None:
    files = project(tmp_path, wsgi_dot_py=FLASK, asgi_dot_py=FASTAPI, requirements_dot_txt="")
    assert read_project(files).start.module == "wsgi"
    (tmp_path / "leanengine.yaml").write_text("server: uvicorn\n")
    assert read_project(files).start.module == "asgi"
    (tmp_path / "leanengine.yaml").write_text("run: python x.py\n")
    assert read_project(files).start.serving is Serving.COMMAND


@pytest.mark.parametrize(
    ("listed", "server"),
    [
        ("flask", "gunicorn"),
        ("waitress==3", "waitress"),
        ("granian", "granian"),
        ("Gunicorn==21\nwaitress", "gunicorn"),
    ],
)
def test_the_projects_own_server_is_taken(tmp_path: Path, listed: str, server: str) -> None:
    found = read_project(project(tmp_path, wsgi_dot_py=FLASK, requirements_dot_txt=listed))
    assert found.start.server == server


@pytest.mark.parametrize(
    ("source", "what"),
    [
        (FASTAPI, "a FastAPI app"),
        ("from starlette.applications import Starlette\napplication = Starlette()", "a Starlette app"),
        ("async def application(scope, receive, send): ...", "an ASGI app"),
        ("class application:\n    async def __call__(self, scope, receive, send): ...", "an ASGI app"),
        ("from main import app as application", "a FastAPI app"),
        ("from main import app\napplication = app", "a FastAPI app"),
        (
            "from django.core.asgi import get_asgi_application\napplication = get_asgi_application()",
            "a Django (ASGI) app",
        ),
    ],
)
def test_an_asgi_app_in_wsgi_py(tmp_path: Path, source: str, what: str) -> None:
    main = "import fastapi\napp = fastapi.FastAPI()\n"
    files = project(tmp_path, wsgi_dot_py=source, main_dot_py=main, requirements_dot_txt="")
    with pytest.raises(ProjectError) as raised:
        read_project(files)
    assert raised.value.sentence == f"application in wsgi.py is {what}, which is called by ASGI"
    assert raised.value.next_step == "name the file asgi.py, or set server: uvicorn"
    (tmp_path / "leanengine.yaml").write_text("server: uvicorn\n")
    assert read_project(files).start == StartPlan(Serving.ASGI, module="wsgi", server="uvicorn")


@pytest.mark.parametrize(
    "source",
    [
        "from elsewhere import application",
        "from helpers import *",
        "import leancloud\nfrom app import app\nengine = leancloud.Engine(app)\napplication = engine",
        "application = WhiteNoise(make())",
        "def application(environ, start_response): ...",
        "class application:\n    def __init__(self, environ, start_response): ...",
        "try:\n    from a import application\nexcept ImportError:\n    application = None",
        "globals()['application'] = 1",
        "if True:\n    application, other = f()",
        "import application",
        "print 'python 2'\napplication = x",
    ],
)
def test_what_cannot_be_told_for_certain_is_served(tmp_path: Path, source: str) -> None:
    found = read_project(project(tmp_path, wsgi_dot_py=source, requirements_dot_txt=""))
    assert found.start.serving is Serving.WSGI


def test_nothing_of_the_project_is_run(tmp_path: Path) -> None:
    # spec: B1
    evil = f"open({str(tmp_path / 'ran')!r}, 'w')\napplication = 1\n"
    read_project(project(tmp_path, wsgi_dot_py=evil, requirements_dot_txt="", manage_dot_py=evil))
    assert not (tmp_path / "ran").exists()


def test_a_django_project_is_served_by_its_own_module(tmp_path: Path) -> None:
    inner = "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
    files = project(tmp_path, manage_dot_py=MANAGE, mysite__wsgi_dot_py=inner, requirements_dot_txt="Django")
    assert read_project(files).start == StartPlan(Serving.WSGI, module="mysite.wsgi", server="gunicorn")


def test_a_procfile(tmp_path: Path) -> None:
    text = "# comment\nweb: gunicorn app:app\nrelease: ./migrate\nqueue: python q.py\n"
    start = read_project(project(tmp_path, Procfile=text, requirements_dot_txt="", app_dot_py="")).start
    assert start == StartPlan(
        Serving.COMMAND, "gunicorn app:app", release="./migrate", workers={"queue": "python q.py"}
    )


def test_a_procfile_beside_leanengine_yaml_is_not_read(tmp_path: Path) -> None:
    files = project(tmp_path, Procfile="web: a", leanengine_dot_yaml="run: b", requirements_dot_txt="")
    found = read_project(files)
    assert found.start.command == "b"
    assert found.notes == ("Procfile is not read, because leanengine.yaml is there",)


@pytest.mark.parametrize("text", ["", "# run: python app.py\n", "installDevDependencies: true\n"])
def test_a_procfile_beside_a_leanengine_yaml_that_says_nothing_is_read(tmp_path: Path, text: str) -> None:
    files = project(tmp_path, Procfile="web: a", leanengine_dot_yaml=text, requirements_dot_txt="", app_dot_py="")
    assert read_project(files).start.command == "a"


def test_wsgi_py_comes_before_the_procfiles_web(tmp_path: Path) -> None:
    files = project(tmp_path, Procfile="web: a\nqueue: b", wsgi_dot_py=FLASK, requirements_dot_txt="")
    found = read_project(files)
    assert found.start.module == "wsgi"
    assert found.start.workers == {"queue": "b"}
    assert "Procfile" in found.notes[0]


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("web gunicorn\n", 1, "a line is a name, a colon and a command"),
        ("web: a\n\nweb: b\n", 3, '"web" appears twice'),
        ("web:\n", 1, '"web" has no command'),
    ],
)
def test_a_wrong_procfile(tmp_path: Path, text: str, line: int, sentence: str) -> None:
    with pytest.raises(ProjectError) as raised:
        read_project(project(tmp_path, Procfile=text, requirements_dot_txt=""))
    assert (raised.value.line, raised.value.sentence) == (line, sentence)


def test_the_python_version(tmp_path: Path) -> None:
    files = project(tmp_path, wsgi_dot_py=FLASK, requirements_dot_txt="")
    assert str(read_project(files, ProjectDefaults("2.7")).python) == "2.7"
    (tmp_path / "runtime.txt").write_text("python-3.5\n")
    assert str(read_project(files).python) == "3.5"
    (tmp_path / ".python-version").write_text("3.12\n")
    found = read_project(files)
    assert str(found.python) == "3.12"
    assert found.notes == ("runtime.txt is not read, because .python-version is there",)


def test_build_root_is_as_if_only_it_was_uploaded(tmp_path: Path) -> None:
    # spec: B7
    files = project(
        tmp_path,
        leanengine_dot_yaml="buildRoot: backend\n",
        backend__wsgi_dot_py=FLASK,
        backend__requirements_dot_txt="",
        backend__leanengine_dot_yaml="startupTimeout: 90\n",
        package_dot_json="{}",
    )
    (tmp_path / ".python-version").write_text("nonsense")
    found = read_project(files)
    assert found.root == tmp_path / "backend"
    assert found.start.startup_timeout == 90.0
    (tmp_path / "leanengine.yaml").write_text("buildRoot: backend\nrun: x\n")
    with pytest.raises(ProjectError, match="both say how to run"):
        read_project(files)


POETRY = (
    "write into leanengine.yaml: install: [{require: [pyproject.toml, poetry.lock]}, pip install poetry, "
    "poetry config virtualenvs.create false, poetry install --only main]"
)
# Files → the sentence, and the next step.
REFUSED: list[tuple[dict[str, str], str, str]] = [
    (
        {"wsgi_dot_py": FLASK},
        "requirements.txt is missing",
        "create it with the packages that the app needs; empty: touch requirements.txt",
    ),
    (
        {"wsgi_dot_py": FLASK, "requirement_dot_txt": ""},
        "there is a file requirement.txt, but no requirements.txt: the name seems to be misspelt",
        "rename it: mv requirement.txt requirements.txt",
    ),
    (
        {"wsgi_dot_py": FLASK, "pyproject_dot_toml": "[project]"},
        "there is a pyproject.toml, but neither requirements.txt nor uv.lock",
        "run `uv lock`, or write a requirements.txt with one line: .",
    ),
    (
        {"requirements_dot_txt": "", "app_dot_py": "from flask import Flask\napp = Flask(__name__)"},
        "this folder has no app that lb could start: it has app.py, requirements.txt",
        "app.py has a Flask app: write into wsgi.py: from app import app as application",
    ),
    (
        {"requirements_dot_txt": "", "main_dot_py": "from fastapi import FastAPI\napi = FastAPI()"},
        "this folder has no app that lb could start: it has main.py, requirements.txt",
        "main.py has a FastAPI app: write into asgi.py: from main import api as application",
    ),
    (
        {"package_dot_json": "{}"},
        "this folder has no app that lb could start: it has package.json",
        "package.json belongs to Node.js; lb runs Python projects",
    ),
    (
        {"requirements_dot_txt": "", "backend__wsgi_dot_py": FLASK},
        "this folder has no app that lb could start: it has backend/, requirements.txt",
        "is the app in backend/? Write into leanengine.yaml: buildRoot: backend",
    ),
    (
        {"requirements_dot_txt": "", "wsgy_dot_py": FLASK},
        "there is no wsgi.py, but a file wsgy.py",
        "rename it: mv wsgy.py wsgi.py",
    ),
    (
        {"requirements_dot_txt": "", "wsgi_dot_py": "from flask import Flask\napp = Flask(__name__)"},
        "wsgi.py has no global name application, but an app named app",
        "add a line: application = app",
    ),
    (
        {"requirements_dot_txt": "", "wsgi_dot_py": "x = 1"},
        "wsgi.py has no global name application",
        "add one, such as: from app import app as application",
    ),
    (
        {"requirements_dot_txt": "", "asgi_dot_py": FLASK},
        "application in asgi.py is a Flask app, which is called by WSGI",
        "name the file wsgi.py",
    ),
    (
        {"requirements_dot_txt": "", "asgi_dot_py": FASTAPI, "leanengine_dot_yaml": "server: gunicorn"},
        "server: gunicorn cannot serve an ASGI app",
        "use uvicorn or granian",
    ),
    (
        {"requirements_dot_txt": "", "Pipfile_dot_lock": "", "wsgi_dot_py": FLASK},
        "several package managers have a list here: requirements.txt and Pipfile.lock",
        "keep the one that is used and remove the other files, or write install: in leanengine.yaml",
    ),
    (
        {"pyproject_dot_toml": "", "poetry_dot_lock": "", "wsgi_dot_py": FLASK},
        "poetry.lock is a list of Poetry, which has to be run by commands of your own",
        POETRY,
    ),
    (
        {"requirements_dot_txt": "", "wsgi_dot_py": FLASK, "python-version": "3.12"},
        "there is a file python-version, but no .python-version: the name seems to be misspelt",
        "rename it: mv python-version .python-version",
    ),
    (
        {"requirements_dot_txt": "", "wsgi_dot_py": FLASK, "leanengine_dot_yml": "run: x"},
        "there is a file leanengine.yml, but no leanengine.yaml: the name seems to be misspelt",
        "rename it: mv leanengine.yml leanengine.yaml",
    ),
    (
        {"requirements_dot_txt": "", "asgi_dot_py": FASTAPI, "runtime_dot_txt": "python-2.7"},
        "uvicorn needs Python 3, and runtime.txt says 2.7",
        "write 3.13 into .python-version",
    ),
    (
        {"leanengine_dot_yaml": "buildRoot: backend"},
        "buildRoot: there is no folder backend",
        "name a folder by its path from the top",
    ),
]


@pytest.mark.parametrize(("files", "sentence", "next_step"), REFUSED, ids=[case[1] for case in REFUSED])
def test_why_a_folder_cannot_be_deployed(tmp_path: Path, files: dict[str, str], sentence: str, next_step: str) -> None:
    with pytest.raises(ProjectError) as raised:
        read_project(project(tmp_path, **files))
    assert (raised.value.sentence, raised.value.next_step) == (sentence, next_step)
    assert sentence in str(raised.value)


def test_an_environment_may_be_here_but_not_be_sent(tmp_path: Path) -> None:
    files = project(tmp_path, wsgi_dot_py=FLASK, requirements_dot_txt="", venv__pyvenv_dot_cfg="")
    assert read_project(files).start.module == "wsgi"
    with pytest.raises(ProjectError) as raised:
        refuse_environment(files)
    assert raised.value.sentence == "venv/ is a virtual environment, which works only where it was made"
    assert raised.value.next_step.startswith("add venv to .leanignore (and .gitignore; ")


def test_runtime_python_needs_no_list(tmp_path: Path) -> None:
    files = project(tmp_path, wsgi_dot_py=FLASK, leanengine_dot_yaml="runtime: python")
    assert read_project(files).requirements.manager == ""


def test_an_own_install_may_use_any_package_manager(tmp_path: Path) -> None:
    files = project(
        tmp_path, wsgi_dot_py=FLASK, Pipfile="", Pipfile_dot_lock="", leanengine_dot_yaml="install: pipenv install"
    )
    assert read_project(files).start.module == "wsgi"


def test_a_plan_survives_json() -> None:
    plan = StartPlan(Serving.WSGI, module="wsgi", server="gunicorn", startup_timeout=20.0, workers={"q": "python q.py"})
    assert StartPlan.from_json(plan.to_json()) == plan
    assert StartPlan.from_json({**plan.to_json(), "of_a_newer_lb": 1}) == plan
