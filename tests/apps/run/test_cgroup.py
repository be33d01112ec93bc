"""Control groups, on a tree of files that looks like the kernel's."""

from __future__ import annotations

from pathlib import Path

from lb.apps.run.cgroup import find, make, prepare


def tree(tmp_path: Path, controllers: str = "cpuset cpu io memory pids") -> tuple[Path, Path, Path]:
    mount = tmp_path / "fs"
    own = mount / "system.slice" / "lb-engine.service"
    own.mkdir(parents=True)
    (own / "cgroup.procs").write_text("12\n13\n")
    (own / "cgroup.controllers").write_text(controllers)
    (own / "cgroup.subtree_control").write_text("")
    where = tmp_path / "cgroup"
    where.write_text("1:name=x:/y\n0::/system.slice/lb-engine.service\n")
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"30 24 0:26 / /sys rw - sysfs sysfs rw\n31 24 0:27 / {mount} rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
    )
    return where, mounts, own


def test_a_delegated_group_limits_all(tmp_path: Path) -> None:
    where, mounts, own = tree(tmp_path)
    support = find(where, mounts)
    assert (support.parent, support.missing) == (own, "")
    assert support.controllers == {"cpu", "memory", "pids"}
    (own / "engine").mkdir()
    (own / "engine" / "cgroup.procs").write_text("")
    assert prepare(support) == support
    assert (own / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    where.write_text("0::/system.slice/lb-engine.service/engine\n")
    (own / "engine" / "cgroup.procs").write_text("12\n")
    assert find(where, mounts).parent == own


def test_limits_are_written_where_the_group_has_their_files(tmp_path: Path) -> None:
    where, mounts, own = tree(tmp_path)
    group = own / "lb-instance-1a"
    group.mkdir()
    for name in ("memory.max", "memory.swap.max", "cpu.max", "pids.max"):
        (group / name).write_text("max")
    assert make(find(where, mounts), "lb-instance-1a", 512 << 20, 1.5, 512) == group
    assert (group / "memory.max").read_text() == str(512 << 20)
    assert (group / "memory.swap.max").read_text() == "0"
    assert (group / "cpu.max").read_text() == "150000 100000"
    assert (group / "pids.max").read_text() == "512"


def test_a_group_without_controllers_says_what_lacks(tmp_path: Path) -> None:
    where, mounts, own = tree(tmp_path, controllers="cpu")
    support = find(where, mounts)
    assert support.parent == own
    assert support.missing == "no controller for memory, pids"


def test_no_group_where_there_is_no_version_2_or_no_right(tmp_path: Path) -> None:
    where, mounts, own = tree(tmp_path)
    (own / "cgroup.procs").unlink()
    closed = find(where, mounts)
    assert closed.parent is None
    assert "is not delegated to this user" in closed.missing
    assert make(closed, "x", 1, 1, 1) is None
    assert prepare(closed) is closed
    where.write_text("1:name=x:/y\n")
    assert find(where, mounts).missing == "this process is in no cgroup of version 2"
    mounts.write_text("")
    assert find(where, mounts).missing == "cgroup version 2 is not mounted"


def test_a_refusal_of_the_system_is_said(tmp_path: Path) -> None:
    where, mounts, own = tree(tmp_path)
    (own / "engine").write_text("in the way")
    refused = prepare(find(where, mounts))
    assert refused.controllers == frozenset()
    assert "limits cannot be turned on" in refused.missing
