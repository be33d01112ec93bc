"""From source distribution to wheel to a fresh environment: what users install is complete, and compiled.

Nothing is downloaded: builds use this environment, and the fresh one finds what lb depends on in it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.timeout(600)


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("LB_", "PYTHON"))}
    done = subprocess.run(
        command, cwd=cwd, env=environ | environment, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, unpacked."""
    made = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "setup.py", "-q", "sdist", "-d", made, cwd=ROOT)
    (archive,) = made.glob("lb_proxy-*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(made, filter="data")
    return made / archive.name.removesuffix(".tar.gz")


def tracked(*patterns: str) -> set[str]:
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return set(listed.stdout.split())


def test_the_source_distribution_holds_every_source(sdist: Path) -> None:
    missing = [name for name in tracked("lb", "tests", "config", "benchmarks") if not (sdist / name).exists()]
    assert not missing
    assert (sdist / "LICENSE").exists()
    assert not list(sdist.rglob("*.so"))


def test_a_wheel_of_it_is_compiled_without_cython_and_runs(sdist: Path, tmp_path: Path) -> None:
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    (shadow / "Cython.py").write_text("raise ImportError('an installation of a source distribution needs no Cython')")
    run(
        *(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, sdist),
        cwd=tmp_path,
        LB_REQUIRE_COMPILED="1",
        PYTHONPATH=str(shadow),
    )
    (wheel,) = tmp_path.glob("lb_proxy-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
    assert not [name for name in names if name.endswith((".c", "_built.json"))]
    assert not [name for name in names if name.startswith(("tests", "benchmarks"))]

    venv.create(tmp_path / "fresh", with_pip=False)
    home = tmp_path / "fresh"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    python = home / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--prefix", home, wheel, cwd=tmp_path)
    for command in ("lb", "lb-proxy"):
        told = run(home / "bin" / command, "version", cwd=tmp_path, LB_REQUIRE_COMPILED="1")
        assert ["engine", "compiled"] in [line.split() for line in told.splitlines()]
    assert "openssl direct" in told
