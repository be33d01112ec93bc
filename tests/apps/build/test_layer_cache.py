"""Layers: the same for the same facts, whole or not there, and not without end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lb.apps.build.layer_cache import LayerCache, copy_missing, key_of


def environment(path: Path) -> Path:
    (path / "bin").mkdir(parents=True)
    script = path / "bin" / "tool"
    script.write_text(f"#!{path}/bin/python\nprint(1)\n")
    script.chmod(0o755)
    (path / "bin" / "python").symlink_to("/usr/bin/python3")
    (path / "x.pyc").write_bytes(os.fsencode(path))
    (path / "share").mkdir()
    (path / "share" / "kernel.json").write_text(f'{{"argv": ["{path}/bin/python"]}}')
    return path


def test_a_copy_knows_its_own_path(tmp_path: Path) -> None:
    cache = LayerCache(tmp_path / "layers")
    old, new = environment(tmp_path / "old" / "venv"), tmp_path / "new" / "venv"
    new.parent.mkdir()
    files = tmp_path / "files"
    files.mkdir()
    (files / "made").write_text("1")
    cache.store("key", old, files)
    assert cache.take("key", new, tmp_path / "target")
    assert (new / "bin" / "tool").read_text().startswith(f"#!{new}/bin/python")
    assert (new / "bin" / "tool").stat().st_mode & 0o111
    assert (new / "bin" / "python").is_symlink()
    assert str(old) not in (new / "share" / "kernel.json").read_text()
    assert (tmp_path / "target" / "made").read_text() == "1"
    assert not cache.take("other", tmp_path / "x", None)


def test_a_broken_layer_is_none(tmp_path: Path) -> None:
    cache = LayerCache(tmp_path / "layers")
    cache.store("key", environment(tmp_path / "venv"), None)
    (tmp_path / "layers" / "key" / "layer.json").write_text("{")
    assert not cache.take("key", tmp_path / "other", None)
    assert not (tmp_path / "other").exists()
    assert not (tmp_path / "layers" / "key").exists()
    cache.store("key", tmp_path / "venv", None)
    cache.store("key", tmp_path / "venv", None)  # of another build at the same time
    assert cache.take("key", tmp_path / "other", None)


def test_those_that_were_not_used_for_long_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lb.apps.build.layer_cache._KEPT", 2)
    cache = LayerCache(tmp_path / "layers")
    venv = environment(tmp_path / "venv")
    for age, key in enumerate(("a", "b")):
        cache.store(key, venv, None)
        os.utime(tmp_path / "layers" / key, (1000 + age, 1000 + age))
    assert cache.take("a", tmp_path / "one", None)
    cache.store("c", venv, None)
    assert sorted(path.name for path in (tmp_path / "layers").iterdir()) == ["a", "c"]


def test_the_key_is_of_all_that_decides(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("a")
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "deep" / "x").write_text("x")
    names = ("requirements.txt", "data", "missing")
    keys = [key_of({"python": "3.12"}, tmp_path, names)]
    assert key_of({"python": "3.12"}, tmp_path, names[::-1]) == keys[0]
    keys.append(key_of({"python": "3.13"}, tmp_path, names))
    (tmp_path / "data" / "deep" / "x").write_text("y")
    keys.append(key_of({"python": "3.12"}, tmp_path, names))
    (tmp_path / "data" / "deep" / "x").chmod(0o755)
    keys.append(key_of({"python": "3.12"}, tmp_path, names))
    (tmp_path / "data" / "deep" / "x").rename(tmp_path / "data" / "x")
    keys.append(key_of({"python": "3.12"}, tmp_path, names))
    (tmp_path / "missing").write_text("")
    keys.append(key_of({"python": "3.12"}, tmp_path, names))
    assert len(set(keys)) == len(keys)


def test_what_is_there_stays(tmp_path: Path) -> None:
    for side, text in (("low", "old"), ("high", "new")):
        (tmp_path / side / "d").mkdir(parents=True)
        (tmp_path / side / "d" / "both").write_text(text)
    (tmp_path / "low" / "d" / "more").write_text("more")
    (tmp_path / "low" / "file-or-folder").mkdir()
    (tmp_path / "high" / "file-or-folder").write_text("file")
    copy_missing(tmp_path / "low", tmp_path / "high")
    assert (tmp_path / "high" / "d" / "both").read_text() == "new"
    assert (tmp_path / "high" / "d" / "more").read_text() == "more"
    assert (tmp_path / "high" / "file-or-folder").is_file()
