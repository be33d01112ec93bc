"""Whole builds of small projects, with wheels of a folder for an index."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from time import monotonic

import pytest

from lb.apps.build.processes import members
from lb.apps.build.release import ReleaseMeta, seal
from lb.apps.build.settings import BuildCancelledError, BuildFailed, BuildLimits
from lb.apps.project.errors import ProjectError
from lb.apps.project.start import Serving, StartPlan
from tests.apps.build.conftest import OWN_PYTHON, Bench, run_in
from tests.apps.build.wheels import hash_of, make_wheel

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


def output(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout


async def test_a_project_with_a_package(bench: Bench) -> None:
    # spec: B11
    make_wheel(bench.wheels, "tinyweb", "1.0")
    built = await bench.build({"requirements.txt": "tinyweb>=1,<2\n"})
    assert built.start == StartPlan(Serving.WSGI, module="wsgi", server="gunicorn")
    assert built.python == OWN_PYTHON
    assert built.project == bench.release / "source"
    assert not built.cache_hit
    assert built.size > 100_000
    assert run_in(built, "import tinyweb, wsgi; print(tinyweb.__version__, wsgi.__name__)") == "1.0 wsgi"
    assert sorted(path.name for path in bench.release.iterdir()) == ["build.log", "source", "venv"]


async def test_a_server_is_added_and_it_is_said(bench: Bench) -> None:
    built = await bench.build()
    note = f"gunicorn {version('gunicorn')} is used, because the project names no server"
    assert built.notes == (note,)
    assert f"       {note}" in bench.told
    assert run_in(built, "import gunicorn; print(gunicorn.__version__)") == version("gunicorn")
    assert version("gunicorn") in output(built.venv / "bin" / "gunicorn", "--version")


async def test_a_project_that_installs_nothing_needs_no_pip(bench: Bench, tmp_path: Path) -> None:
    """Its environment is there at once, even with an empty cache."""
    bench.settings = replace(bench.settings, cache=tmp_path / "empty")
    built = await bench.build()
    assert "ModuleNotFoundError" in run_in(built, "import pip")
    assert run_in(built, "import gunicorn, wsgi; print('starts')") == "starts"
    assert not (tmp_path / "empty" / "environments").exists()


async def test_a_full_disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("lb.apps.build.layer_cache.LayerCache.store", fail)
    with pytest.raises(BuildFailed) as raised:
        await bench.build()
    assert raised.value.sentence == "the engine's disk is full"


async def test_uvicorn_for_asgi(bench: Bench) -> None:
    source = "async def application(scope, receive, send): ...\n"
    built = await bench.build({"asgi.py": source, "leanengine.yaml": "server: uvicorn"})
    assert built.start.serving is Serving.ASGI
    assert run_in(built, "import uvicorn, click, h11; print(uvicorn.__version__)") == version("uvicorn")
    assert run_in(
        built, "from websockets.asyncio.server import serve; import websockets; print(websockets.__version__)"
    )


async def test_the_projects_own_server_stays(bench: Bench) -> None:
    make_wheel(bench.wheels, "gunicorn", "19.0")
    built = await bench.build({"requirements.txt": "gunicorn<20"})
    assert built.notes == ()
    assert run_in(built, "import gunicorn; print(gunicorn.__version__)") == "19.0"


async def test_a_server_that_would_meet_other_versions_is_installed_from_the_index(bench: Bench) -> None:
    make_wheel(bench.wheels, "click", "1.0")
    make_wheel(bench.wheels, "uvicorn", "99.0", requires=("click",))
    files = {"requirements.txt": "click==1.0", "asgi.py": "async def application(scope, receive, send): ...\n"}
    built = await bench.build({**files, "leanengine.yaml": "server: uvicorn"})
    assert run_in(built, "import uvicorn, click; print(uvicorn.__version__, click.__version__)") == "99.0 1.0"


async def test_an_unchanged_list_is_not_installed_anew(bench: Bench) -> None:
    # spec: B12
    files = {"requirements.txt": "tinyweb\n"}
    make_wheel(bench.wheels, "tinyweb", "1.0", script=True)
    await bench.build(files)
    make_wheel(bench.wheels, "tinyweb", "2.0", script=True)
    built = await bench.build(files)
    assert built.cache_hit
    assert bench.told[1] == "-----> Reusing the dependencies of an earlier build"
    assert "gunicorn" in bench.told[2]
    assert run_in(built, "import tinyweb; print(tinyweb.__version__)") == "1.0"
    script = built.venv / "bin" / "tinyweb"
    assert script.read_text().startswith(f"#!{built.venv}/bin/python")
    assert output(script) == "1.0\n"
    built = await bench.build(files, use_cache=False)
    assert not built.cache_hit
    assert run_in(built, "import tinyweb; print(tinyweb.__version__)") == "2.0"


async def test_a_changed_list_is_installed_into_a_fresh_environment(bench: Bench) -> None:
    for name in ("one", "two"):
        make_wheel(bench.wheels, name, "1.0")
    await bench.build({"requirements.txt": "one\ntwo\n"})
    built = await bench.build({"requirements.txt": "one\n"})
    assert not built.cache_hit
    assert "ModuleNotFoundError" in run_in(built, "import two")


async def test_releases_share_nothing_that_can_be_written(bench: Bench) -> None:
    make_wheel(bench.wheels, "tinyweb", "1.0")
    first = await bench.build({"requirements.txt": "tinyweb"})
    (module,) = first.venv.glob("lib/python*/site-packages/tinyweb.py")
    module.write_text("__version__ = 'spoilt'")
    second = await bench.build({"requirements.txt": "tinyweb"})
    assert second.cache_hit
    assert run_in(second, "import tinyweb; print(tinyweb.__version__)") == "1.0"


async def test_an_install_that_fails_half_way_leaves_no_layer(bench: Bench) -> None:
    make_wheel(bench.wheels, "one", "1.0")
    (bench.wheels / "two-1.0-py3-none-any.whl").write_bytes(b"PK half of a wheel")
    with pytest.raises(BuildFailed) as raised:
        await bench.build({"requirements.txt": "one\ntwo\n"})
    assert raised.value.step == "Installing dependencies"
    assert raised.value.tail
    make_wheel(bench.wheels, "two", "1.1")
    built = await bench.build({"requirements.txt": "one\ntwo==1.1\n"})
    assert not built.cache_hit
    assert run_in(built, "import one, two; print(two.__version__)") == "1.1"


async def test_a_package_that_is_not_there(bench: Bench) -> None:
    with pytest.raises(BuildFailed) as raised:
        await bench.build({"requirements.txt": "flusk==1\n"})
    assert raised.value.next_step == "check the name and version of flusk==1, and which Python it needs"
    assert any("flusk" in line for line in raised.value.tail)


async def test_hashes_and_included_lists(bench: Bench) -> None:
    wheel = make_wheel(bench.wheels, "one", "1.0")
    make_wheel(bench.wheels, "one", "2.0")
    make_wheel(bench.wheels, "two", "1.0")
    built = await bench.build({"requirements.txt": f"one==1.0 --hash={hash_of(wheel)}\n"})
    assert run_in(built, "import one, gunicorn; print(one.__version__)") == "1.0"
    with pytest.raises(BuildFailed) as raised:
        await bench.build({"requirements.txt": f"one==1.0 --hash=sha256:{'0' * 64}\n"})
    assert "--hash" in raised.value.next_step
    files = {"requirements.txt": "-r lists/base.txt\n-c limits.txt\n", "lists/base.txt": "one\n-r more.txt\n"}
    files |= {"lists/more.txt": "two; python_version > '3'\n", "limits.txt": "one<2\n"}
    built = await bench.build(files)
    assert run_in(built, "import one, two; print(one.__version__)") == "1.0"
    assert not (await bench.build({**files, "limits.txt": "one<3\n"})).cache_hit


async def test_a_package_of_the_project_itself(bench: Bench) -> None:
    """A path in the list: install sees the whole tree, and the layer is not kept."""
    make_wheel(bench.wheels, "inner", "3.0")
    name = f"./vendor/{make_wheel(bench.wheels, 'inner', '3.0').name}"
    order = bench.order({"requirements.txt": f"{name}\n"})
    vendored = order.source / name
    vendored.parent.mkdir()
    vendored.write_bytes((bench.wheels / vendored.name).read_bytes())
    built = await bench.carry_out(order)
    assert run_in(built, "import inner; print(inner.__version__)") == "3.0"
    assert not (bench.settings.cache / "layers").exists()


async def test_install_sees_the_lists_and_what_is_required(bench: Bench) -> None:
    # spec: B6
    manifest = (
        "install:\n- {require: [tools/x, data]}\n- ls -A > seen\n- {use: default}\n- 'echo made > app.py'\n"
        "- mkdir -p gen && echo new > gen/file\n"
    )
    files = {"leanengine.yaml": manifest, "app.py": "own", "tools/x": "x", "tools/y": "y", "data/a/b": "", "z": ""}
    for expected in (False, True):
        built = await bench.build(files)
        assert built.cache_hit is expected
        assert sorted((built.project / "seen").read_text().split()) == ["data", "requirements.txt", "seen", "tools"]
        assert (built.project / "app.py").read_text() == "own"
        assert (built.project / "gen" / "file").read_text() == "new\n"
        assert (built.project / "tools" / "y").read_text() == "y"
    assert not (await bench.build({**files, "data/a/b": "changed"})).cache_hit
    assert (await bench.build({**files, "z": "changed"})).cache_hit


async def test_an_own_install_replaces_the_default(bench: Bench) -> None:
    # spec: B5
    make_wheel(bench.wheels, "one", "1.0")
    files = {"requirements.txt": "no-such-package\n", "leanengine.yaml": "install: pip install one\n"}
    built = await bench.build(files)
    assert run_in(built, "import one; print(one.__version__)") == "1.0"


async def test_build_sees_everything_and_uses_the_environment(bench: Bench) -> None:
    make_wheel(bench.wheels, "one", "1.0")
    manifest = "build:\n- {use: default}\n- python -c 'import one, sys; print(sys.prefix)' > prefix\n- ls -A > seen\n"
    built = await bench.build({"requirements.txt": "one", "leanengine.yaml": manifest, "src/x": ""})
    assert (built.project / "prefix").read_text().strip() == str(built.venv)
    assert {"src", "wsgi.py", "leanengine.yaml"} <= set((built.project / "seen").read_text().split())


async def test_variables_are_seen_only_if_they_are_exposed(bench: Bench) -> None:
    # spec: B8
    variables = {"TOKEN_OF_APP": "s3cr3t-of-the-app"}
    os.environ["OF_THE_ENGINE"] = "x"
    try:
        plain = await bench.build({"leanengine.yaml": "build: env > seen; echo $TOKEN_OF_APP"}, variables=variables)
    finally:
        del os.environ["OF_THE_ENGINE"]
    seen = (plain.project / "seen").read_text()
    assert "TOKEN_OF_APP" not in seen
    assert "OF_THE_ENGINE" not in seen
    manifest = (
        'build: echo token $TOKEN_OF_APP; test -n "$TOKEN_OF_APP" && touch exposed\nexposeEnvironmentsOnBuild: yes'
    )
    exposed = await bench.build({"leanengine.yaml": manifest}, variables=variables, verbose=True)
    assert (exposed.project / "exposed").exists()
    assert "       token ****" in bench.told
    assert "s3cr3t" not in bench.log() + "".join(bench.told)


async def test_the_log_is_quiet_and_the_failed_step_is_shown(bench: Bench) -> None:
    # spec: B15
    manifest = "build:\n- echo first\n- echo second; echo https://u:pw@index.example; exit 4\n"
    with pytest.raises(BuildFailed) as raised:
        await bench.build({"leanengine.yaml": manifest})
    failed = raised.value
    assert (failed.step, failed.sentence) == ("Building", "it failed with exit status 4")
    assert failed.tail == ("second", "https://****@index.example")
    assert bench.told[0].startswith(f"-----> Using Python {OWN_PYTHON}")
    assert not any("first" in line or "second" in line for line in bench.told)
    assert "       first\n" in bench.log()
    with pytest.raises(BuildFailed):
        await bench.build({"leanengine.yaml": manifest}, verbose=True)
    assert "       first" in bench.told


async def test_build_root_becomes_the_whole(bench: Bench) -> None:
    # spec: B7
    files = {"leanengine.yaml": "buildRoot: backend", "backend/wsgi.py": "x = 1\napplication = x", "web/index.html": ""}
    built = await bench.build({**files, "backend/requirements.txt": "", "backend/deep/file": ""})
    assert sorted(path.name for path in built.project.iterdir() if path.name != "__pycache__") == [
        *("deep", "requirements.txt", "wsgi.py"),
    ]
    assert run_in(built, "import wsgi; print(wsgi.x)") == "1"


async def test_a_project_that_is_none(bench: Bench) -> None:
    with pytest.raises(ProjectError, match="no global name application"):
        await bench.build({"wsgi.py": ""})


async def test_cancelled(bench: Bench) -> None:
    order = bench.order({"leanengine.yaml": "build: setsid sleep 999 & touch started; sleep 999"})
    step = asyncio.create_task(bench.carry_out(order))
    until = monotonic() + 60
    while not os.path.exists(order.source / "started"):  # noqa: PTH110  it is on this machine
        assert monotonic() < until
        assert not step.done()
        await asyncio.sleep(0.02)
    bench.cancelled.set()
    with pytest.raises(BuildCancelledError):
        await step
    assert members(order.release) == []
    with pytest.raises(BuildCancelledError):
        await bench.build()


async def test_limits_hold_for_the_whole_build(bench: Bench) -> None:
    await bench.build()
    bench.settings = replace(bench.settings, limits=BuildLimits(timeout=60.0, cpu_time=2.0))
    with pytest.raises(BuildFailed) as raised:
        await bench.build({"leanengine.yaml": "build: while :; do :; done"})
    assert raised.value.step == "Building"
    assert raised.value.sentence == "the build used more than 2s of CPU time"


async def test_a_python_that_is_not_there(bench: Bench) -> None:
    with pytest.raises(BuildFailed) as raised:
        await bench.build({".python-version": "3.99\n"})
    assert raised.value.sentence.startswith("Python 3.99 (.python-version) is not installed: here are ")
    assert raised.value.next_step.startswith("install it (pyenv install 3.99), name its path in engine.pythons")
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    with pytest.raises(BuildFailed) as raised:
        await bench.build({".python-version": f"{minor}.99\n"})
    assert raised.value.next_step.startswith(
        f"write {sys.version_info[0]}.{sys.version_info[1]} into .python-version: "
    )


async def test_a_python_is_fetched_by_uv_where_it_may_be(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for uv: a true `uv python install` needs a mirror of interpreters."""
    programs = tmp_path / "programs"
    programs.mkdir()
    stand_in = programs / "stand-in"
    stand_in.write_text('#!/bin/sh\necho \'[[3, 98, 0], "final", "CPython", "", "x"]\'\n')
    uv = programs / "uv"
    folder = '"$UV_PYTHON_INSTALL_DIR/cpython-3.98.0/bin"'
    install = f"mkdir -p {folder}\ncp {stand_in} {folder}/python3.98\n"
    uv.write_text(f'#!/bin/sh\necho "$@ from $UV_PYTHON_INSTALL_MIRROR"\n{install}')
    for program in (uv, stand_in):
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    bench.settings = replace(bench.settings, python_mirror="file:///srv/pythons")
    with pytest.raises(BuildFailed) as raised:
        await bench.build({".python-version": "3.98\n"})
    assert raised.value.step == "Making the environment"  # the stand-in is no interpreter
    assert "python install --no-bin cpython-3.98 from file:///srv/pythons" in bench.log()
    assert "-----> Using Python 3.98.0 (.python-version)" in bench.told


async def test_system_dependencies(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # spec: B9
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setattr("lb.apps.build.system_packages._LIBRARIES", (f"{tmp_path}/lib/",))
    files = {"leanengine.yaml": "systemDependencies: [python-talib]"}
    with pytest.raises(BuildFailed) as raised:
        await bench.build(files)
    assert raised.value.sentence == "python-talib is not on this machine"
    assert "https://ta-lib.org" in raised.value.next_step
    monkeypatch.setattr("lb.apps.build.system_packages._SHARED", (f"{tmp_path}/share/",))
    files = {"leanengine.yaml": "systemDependencies: fonts-wqy"}
    with pytest.raises(BuildFailed) as raised:
        await bench.build(files)
    line = "apt-get install -y --no-install-recommends fonts-wqy-microhei fonts-wqy-zenhei"
    assert raised.value.next_step == f"run: {line}"
    apt = programs / "apt-get"
    apt.write_text(f'#!/bin/sh\necho "apt-get $@"\nmkdir -p {tmp_path}/share/fonts/truetype/wqy\n')
    apt.chmod(0o755)
    bench.settings = replace(bench.settings, apt=True)
    await bench.build(files)
    assert f"       {line}" in bench.log()


async def test_a_sealed_release_cannot_be_written(bench: Bench) -> None:
    built = await bench.build()
    seal(bench.release, ReleaseMeta("m", "me", 1.0, built.size, built.python, built.start))
    assert not (built.project / "wsgi.py").stat().st_mode & 0o222
    assert not (built.venv / "bin").stat().st_mode & 0o222
    assert run_in(built, "import wsgi, gunicorn; print('starts')") == "starts"
