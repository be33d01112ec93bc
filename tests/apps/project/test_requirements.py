"""requirements.txt and its like: what is seen in them, and what that means for the layer cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from lb.apps.project.errors import ProjectError
from lb.apps.project.requirements import Requirements, read_requirements


def read(root: Path, text: str, **more: str) -> Requirements:
    (root / "requirements.txt").write_text(text)
    for name, content in more.items():
        path = root / name.replace("__", "/").replace("_txt", ".txt")
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return read_requirements(root, custom_install=False)


@pytest.mark.parametrize(
    ("line", "names", "whole_tree", "fresh"),
    [
        ("Flask>=3.1,<4  # web", {"flask"}, False, False),
        ("flask[async] ; python_version > '3'", {"flask"}, False, False),
        ("Zope.Interface_x==1", {"zope-interface-x"}, False, False),
        ("a==1 \\\n    --hash=sha256:00", {"a"}, False, False),
        ("# nothing\n\n", set(), False, False),
        ("--index-url https://u:p@index.example/simple", set(), False, False),
        ("git+https://git.example/x.git@main#egg=x", set(), False, True),
        ("x @ git+ssh://git@git.example/x", {"x"}, False, True),
        ("-e git+https://git.example/x.git#egg=x", set(), False, True),
        ("-e .", set(), True, True),
        (".", set(), True, True),
        ("./vendor/x", set(), True, True),
        ("vendor/x-1-py3-none-any.whl", set(), True, True),
        ("x @ file:///srv/x.whl", set(), True, True),
        ("--find-links wheels", set(), True, True),
        ("https://files.example/x-1.tar.gz", set(), False, False),
    ],
)
def test_lines(tmp_path: Path, line: str, names: set[str], whole_tree: bool, fresh: bool) -> None:
    found = read(tmp_path, line)
    assert (set(found.names), found.whole_tree, found.fresh) == (names, whole_tree, fresh)


def test_included_lists_belong_to_it(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "-r requirements/base.txt\n-c limits.txt",
        requirements__base_txt="Django\n-r more.txt\n-r ../requirements.txt",
        requirements__more_txt="gunicorn",
        limits_txt="x==1",
    )
    assert found.files == ("requirements.txt", "requirements/base.txt", "requirements/more.txt", "limits.txt")
    assert {"django", "gunicorn"} <= found.names
    assert not found.fresh


def test_a_list_that_leads_out_is_never_cached(tmp_path: Path) -> None:
    assert read(tmp_path, "-r ../other.txt").fresh


def test_programs_and_hashes(tmp_path: Path) -> None:
    found = read(tmp_path, "git+https://git.example/x\nhg+https://hg.example/y\na --hash=sha256:1")
    assert found.programs == ("git", "hg")
    assert found.hashes


def test_a_uv_project(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text('[[package]]\nname = "Gunicorn"\n')
    with pytest.raises(ProjectError, match=r"pyproject\.toml is not"):
        read_requirements(tmp_path, custom_install=False)
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    found = read_requirements(tmp_path, custom_install=False)
    assert (found.manager, set(found.names), found.fresh) == ("uv", {"gunicorn"}, False)
    (tmp_path / "pyproject.toml").write_text("[project]\n[build-system]\n")
    assert read_requirements(tmp_path, custom_install=False).whole_tree
