"""leanengine.yaml: every key, and what is said of every mistake, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from lb.apps.project.errors import ProjectError
from lb.apps.project.manifest import Manifest, parse_manifest, read_manifest
from lb.apps.project.manifest_values import BuildCommand

WHOLE = b"""\
run: uwsgi --http :3000 --process=${LEANCLOUD_AVAILABLE_CPUS}
install:
  - require: [vendor, tools/setup.sh]
  - {use: 'default'}
  - echo 'more'
build: python manage.py collectstatic --noinput
runtime: python
buildRoot: backend/
exposeEnvironmentsOnBuild: true
systemDependencies: [imagemagick, ffmpeg, imagemagick]
startupTimeout: 60
functionsMode: strict
release: python manage.py migrate
workers: {queue: python worker.py}
server: uvicorn
installDevDependencies: false
"""


def test_every_key() -> None:
    assert parse_manifest(WHOLE) == Manifest(
        run="uwsgi --http :3000 --process=${LEANCLOUD_AVAILABLE_CPUS}",
        install=(
            BuildCommand(require=("vendor", "tools/setup.sh")),
            BuildCommand(is_default=True),
            BuildCommand("echo 'more'"),
        ),
        build=(BuildCommand("python manage.py collectstatic --noinput"),),
        python=True,
        build_root="backend",
        expose_environments=True,
        system_dependencies=("imagemagick", "ffmpeg"),
        startup_timeout=60.0,
        functions_mode="strict",
        release="python manage.py migrate",
        workers={"queue": "python worker.py"},
        server="uvicorn",
        notes=("installDevDependencies is obsolete and has no effect; the key can be removed",),
    )


@pytest.mark.parametrize("data", [b"", b"# nothing yet\n", b"{}"])
def test_a_file_without_keys_says_nothing(data: bytes) -> None:
    assert parse_manifest(data) == Manifest()


KEYS = (
    "the keys are run, install, build, runtime, buildRoot, exposeEnvironmentsOnBuild, systemDependencies, "
    "startupTimeout, functionsMode, release, workers and server"
)
# What is written → line, column, what is said, and the next step.
WRONG = {
    "runn: x": (1, 1, 'unknown key "runn": did you mean "run"?', ""),
    "run: x\nstartuptimeout: 5": (2, 1, 'unknown key "startuptimeout": did you mean "startupTimeout"?', ""),
    "build_root: x": (1, 1, 'unknown key "build_root": did you mean "buildRoot"?', ""),
    "system-dependencies: []": (1, 1, 'unknown key "system-dependencies": did you mean "systemDependencies"?', ""),
    "frobnicate: 1": (1, 1, 'unknown key "frobnicate"', KEYS),
    "start: python app.py": (1, 1, 'unknown key "start"', "here this is run: a command in shell syntax"),
    "env: {A: b}": (1, 1, 'unknown key "env"', "variables are set by `lb env APP set NAME=…`"),
    "memory: 512M": (1, 1, 'unknown key "memory"', "this belongs to the app in lb's own configuration file"),
    "cron: x": (
        *(1, 1, 'unknown key "cron"'),
        "lb runs no scheduled commands: let the machine's cron run `lb run APP -- COMMAND`",
    ),
    "run: [a, b]": (
        *(1, 6, "run: run is one command, not a list"),
        "join several with &&, or put the first ones into build",
    ),
    "run:": (1, 1, "run has no value", "give it one, or remove the line"),
    "run: ' '": (1, 6, "run: the command is empty", "write a command, or remove the key"),
    "startupTimeout: 5": (1, 17, 'startupTimeout: "5" is out of range', "it must be from 15s to 2m"),
    "startupTimeout: soon": (
        *(1, 17, 'startupTimeout: "soon" is not a duration'),
        "write one number and its unit: 500ms, 60s, 2m, 1h",
    ),
    "functionsMode: strikt": (
        *(1, 16, 'functionsMode: "strikt" is not known here: did you mean "strict"?'),
        "use strict or disabled",
    ),
    "runtime: nodejs": (
        *(1, 10, 'runtime: the runtime "nodejs" is not supported'),
        "lb runs Python projects: write python",
    ),
    "runtime: pyton": (1, 10, 'runtime: "pyton" is not known here: did you mean "python"?', "use python"),
    "buildRoot: ../other": (1, 12, 'buildRoot: "../other" leads out of the project', "name something inside of it"),
    "buildRoot: /srv/app": (
        *(1, 12, 'buildRoot: "/srv/app" begins with /'),
        "write the path from the project's top, such as app/static",
    ),
    "install:\n- {use: defualt}": (2, 9, "install: use knows one word, default", "write {use: default}"),
    "install:\n- echo\n- {usee: default}": (3, 4, 'install: unknown key "usee": did you mean "use"?', ""),
    "install:\n- {require: [a, ../b]}": (
        *(2, 17, 'install: "../b" leads out of the project'),
        "name something inside of it",
    ),
    "build:\n- {require: a}": (2, 4, "build: build sees every file of the project anyway", "remove require"),
    "build:\n- echo: hi": (
        *(2, 3, 'build: unknown key "echo"'),
        'a command with ": " in it needs quotes around the whole of it',
    ),
    "systemDependencies: [ffmpg]": (
        *(1, 22, 'systemDependencies: "ffmpg" is not known here: did you mean "ffmpeg"?'),
        "there are ffmpeg, imagemagick, fonts-wqy, fonts-noto, chrome-headless, node-canvas and python-talib",
    ),
    "systemDependencies: phantomjs": (
        *(1, 21, "systemDependencies: phantomjs is discontinued"),
        "use chrome-headless instead",
    ),
    "exposeEnvironmentsOnBuild: maybe": (
        *(1, 28, 'exposeEnvironmentsOnBuild: "maybe" is neither true nor false'),
        "write true or false",
    ),
    "workers: {web: x}": (1, 11, 'workers: "web" cannot be a worker\'s name', "`web` is what run starts"),
    "workers: {Q: x}": (
        *(1, 11, 'workers: "Q" cannot be a worker\'s name'),
        "use small letters, digits and hyphens",
    ),
    "workers: python worker.py": (
        *(1, 10, 'workers: keys and values are expected here, not "python worker.py"'),
        "write a name and a command for each worker: {queue: python worker.py}",
    ),
    "server: unicorn": (
        *(1, 9, 'server: "unicorn" is not known here: did you mean "gunicorn"?'),
        "use auto, gunicorn, uvicorn, granian or waitress",
    ),
    "static: {/static/: files}": (
        1,
        1,
        'unknown key "static"',
        "a route of the app in lb's own configuration file serves them: routes: [{path: /static/, files: …}]",
    ),
    "run: 'a": (1, 6, "this quote is never closed", "add the closing quote"),
    "\trun: a": (1, 1, "this line is indented with a tab", "YAML allows only spaces there"),
    "run: a\nrun: b": (2, 1, 'the key "run" appears twice', "the first one is on line 1: keep one of them"),
    "[run]": (1, 1, "keys and values are expected here, not a list", KEYS),
}


@pytest.mark.parametrize("text", WRONG)
def test_mistakes_have_a_place_and_a_next_step(text: str) -> None:
    # spec: R1
    with pytest.raises(ProjectError) as raised:
        parse_manifest(text.encode())
    error = raised.value
    assert (error.line, error.column, error.sentence, error.next_step) == WRONG[text]
    assert error.file == "leanengine.yaml"
    assert f"leanengine.yaml:{error.line}:{error.column}: error: " in str(error)
    assert "^" in str(error)
    assert len(error.problems) == 1


def test_all_mistakes_are_reported_at_once() -> None:
    with pytest.raises(ProjectError) as raised:
        parse_manifest(b"runn: x\nserver: y\nstartupTimeout: 1\n")
    assert [problem.line for problem in raised.value.problems] == [1, 2, 3]


def test_no_hint_is_about_the_other_configuration_file() -> None:
    with pytest.raises(ProjectError) as raised:
        parse_manifest(b"run: " + b"[" * 30)
    assert "lb config" not in str(raised.value)
    assert "no key of lb" not in str(raised.value)


def test_aliases_cannot_grow_without_bound() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]" for n in range(6)]
    with pytest.raises(ProjectError, match="grow beyond all bounds"):
        parse_manifest("\n".join(lines).encode())


def test_the_file_is_read_where_it_is(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
    (tmp_path / "leanengine.yaml").write_text("run: python app.py\n")
    assert read_manifest(tmp_path) == Manifest(run="python app.py")


def test_a_link_out_of_the_project_is_not_followed(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "secret").write_text("run: x")
    (project / "leanengine.yaml").symlink_to("../secret")
    with pytest.raises(ProjectError, match="leads out of the project"):
        read_manifest(project)
