"""A folder copied to another path: the files that hold the old one are found and changed, and nothing else."""

from __future__ import annotations

import stat
from pathlib import Path

from lb.apps.build.relocate import change_path, copy_tree, files_that_hold


def test_a_copy_has_its_own_path_in_its_scripts(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    (old / "bin").mkdir(parents=True)
    script, other, compiled = old / "bin" / "tool", old / "readme", old / "x.pyc"
    script.write_text(f"#!{old}/bin/python\n", encoding="utf-8")
    script.chmod(0o755)
    other.write_text("nothing of it", encoding="utf-8")
    compiled.write_text(str(old), encoding="utf-8")
    (old / "link").symlink_to("readme")
    names = files_that_hold(old, old)
    assert names == ["bin/tool"]
    copy_tree(old, new)
    change_path(new, names, old, new)
    copied = new / "bin" / "tool"
    assert copied.read_text(encoding="utf-8") == f"#!{new}/bin/python\n"
    assert stat.S_IMODE(copied.stat().st_mode) == 0o755
    assert script.read_text(encoding="utf-8") == f"#!{old}/bin/python\n"
    assert (new / "link").is_symlink()
    assert (new / "x.pyc").read_text(encoding="utf-8") == str(old)
    assert sorted(path.name for path in (new / "bin").iterdir()) == ["tool"]
