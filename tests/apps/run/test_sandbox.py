"""The options of the sandbox, as text; that they hold is proved by the tests of instances."""

from __future__ import annotations

from pathlib import Path

from lb.apps.run.sandbox import View, options, python_prefix


def view(tmp_path: Path, quota: int | None = 1 << 30) -> list[str]:
    return options(
        View(tmp_path / "source", (tmp_path / "release",), (tmp_path / "app",), quota), {"A": "x y", "B": ""}, tmp_path
    )


def pairs(found: list[str], option: str, count: int = 2) -> list[tuple[str, ...]]:
    return [tuple(found[at + 1 : at + 1 + count]) for at, word in enumerate(found) if word == option]


def test_the_traps_of_bubblewrap_are_kept_out_of(tmp_path: Path) -> None:
    found = view(tmp_path)
    assert {"--unshare-pid", "--die-with-parent", "--unshare-user", "--clearenv"} <= set(found)
    assert "--as-pid-1" not in found


# spec: F1
def test_one_limit_holds_over_home_and_tmp(tmp_path: Path) -> None:
    found = view(tmp_path)
    at = found.index("--size")
    assert found[at : at + 4] == ["--size", str(1 << 30), "--tmpfs", "/home"]
    assert ("home/tmp", "/tmp") in pairs(found, "--symlink")
    assert "--size" not in view(tmp_path, quota=None)


def test_the_environment_is_made_anew_and_the_release_cannot_be_written(tmp_path: Path) -> None:
    found = view(tmp_path)
    assert pairs(found, "--setenv") == [("A", "x y"), ("B", "")]
    assert (str(tmp_path / "release"), str(tmp_path / "release")) in pairs(found, "--ro-bind")
    assert (str(tmp_path / "source"), "/home/leanengine/app") in pairs(found, "--ro-bind")
    assert pairs(found, "--bind") == [(str(tmp_path / "app"), str(tmp_path / "app"))]
    assert pairs(found, "--remount-ro", 1) == [("/",)]


def test_the_system_s_own_layout_is_kept_and_its_secrets_are_not_seen(tmp_path: Path) -> None:
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "bin").mkdir()
    (tmp_path / "etc" / "ssh").mkdir(parents=True)
    (tmp_path / "etc" / "shadow").touch()
    found = view(tmp_path)
    assert ("usr/lib", "/lib") in pairs(found, "--symlink")
    assert ("/bin", "/bin") in pairs(found, "--ro-bind")
    assert ("/dev/null", "/etc/shadow") in pairs(found, "--ro-bind")
    assert ("/etc/ssh",) in pairs(found, "--tmpfs", 1)
    assert ("/etc/lb",) not in pairs(found, "--tmpfs", 1)


def test_an_interpreter_outside_of_usr_is_shown_too(tmp_path: Path) -> None:
    real = tmp_path / "pythons" / "3.12" / "bin" / "python3.12"
    real.parent.mkdir(parents=True)
    real.touch()
    link = tmp_path / "python"
    link.symlink_to(real)
    assert python_prefix(link) == tmp_path / "pythons" / "3.12"
    assert python_prefix(tmp_path / "none") is None
    assert python_prefix(Path("/usr/bin/env")) is None


def test_an_interpreter_that_was_copied_needs_the_files_of_the_original(tmp_path: Path) -> None:
    original, venv = tmp_path / "versions" / "2.7.18", tmp_path / "venv"
    for folder in (original / "bin", venv / "bin"):
        folder.mkdir(parents=True)
        (folder / "python2.7").touch()
    (venv / "bin" / "python").symlink_to("python2.7")
    (venv / "pyvenv.cfg").write_text(f"home = {original}/bin\nversion_info = 2.7.18.final.0\n", encoding="utf-8")
    assert python_prefix(venv / "bin" / "python") == original
    (venv / "pyvenv.cfg").write_text("home = /usr/bin\n", encoding="utf-8")
    assert python_prefix(venv / "bin" / "python") is None
    (venv / "pyvenv.cfg").write_text("implementation = CPython\n", encoding="utf-8")
    assert python_prefix(venv / "bin" / "python") is None
