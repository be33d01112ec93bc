"""From an order to what the shim reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lb.apps.project.start import Serving, StartPlan
from lb.apps.run.cgroup import CgroupSupport
from lb.apps.run.isolation import IsolationLadder
from lb.apps.run.order import InstanceFacts, InstanceOrder, Isolation, Network
from lb.apps.run.run_directory import RunDirectory
from lb.apps.run.shim_order import command, instance_group, scratch, shim_order, wants_port
from tests.apps.run.making import TAG, VENV, order

NONE = IsolationLadder(Isolation.NONE, "", (), "", CgroupSupport(None), ())
BWRAP = IsolationLadder(Isolation.BWRAP, "/usr/bin/bwrap", (), "/usr/bin/pasta", CgroupSupport(None), ())
WSGI = StartPlan(Serving.WSGI, module="wsgi")


@pytest.fixture
def place(tmp_path: Path) -> RunDirectory:
    made = RunDirectory(tmp_path / "1a2b3c4d")
    made.make()
    return made


def facts(wanted: InstanceOrder, place: RunDirectory, scratch_directory: str = "", group: str = "") -> InstanceFacts:
    return InstanceFacts(
        place.id, "token", "shop", "production", "web1", TAG, str(wanted.release), "", Isolation.NONE, Network.HOST,
        wanted.memory, wanted.quota, 5.0, str(wanted.log_dir), 1.0, scratch_directory, group,
    )  # fmt: skip


def test_only_a_command_that_listens_wants_a_port(tmp_path: Path) -> None:
    assert wants_port(order(tmp_path, "x"))
    assert not wants_port(order(tmp_path, "x", listens=False))
    assert not wants_port(order(tmp_path, WSGI))


def test_without_a_sandbox_the_command_stands_alone(tmp_path: Path, place: RunDirectory) -> None:
    wanted = order(tmp_path, "python app.py")
    found = command(wanted, place, NONE, 21003, "mark")
    assert found.argv == ("/bin/sh", "-c", "exec python app.py")
    assert (found.wrappers, found.options, found.cwd) == (0, (), str(wanted.project))
    assert found.environment["LEANCLOUD_APP_PORT"] == "21003"
    assert (
        found.environment["HOME"]
        == str(scratch(wanted, place) / "home")
        == str(tmp_path / "files" / "1a2b3c4d" / "home")
    )
    assert scratch(order(tmp_path, "x", files_dir=tmp_path / "disk"), place) == tmp_path / "disk" / "1a2b3c4d"


# spec: E1
def test_a_server_on_a_socket_has_a_number_for_a_port(tmp_path: Path, place: RunDirectory) -> None:
    found = command(order(tmp_path, WSGI), place, NONE, 0, "mark")
    assert found.environment["LEANCLOUD_APP_PORT"] == "3000"
    assert found.argv[0] == str(VENV / "bin" / "python")
    assert str(place.socket) in place.server_config.read_text()


def test_in_a_sandbox_the_environment_stands_in_the_options_alone(tmp_path: Path, place: RunDirectory) -> None:
    found = command(order(tmp_path, WSGI, variables={"TOKEN": "secret"}), place, BWRAP, 0, "mark")
    assert found.argv[:4] == ("/usr/bin/bwrap", "--args", "3", "--")
    assert found.environment == {}
    assert (found.wrappers, found.cwd) == (2, "/")
    assert "secret" in found.options
    assert "secret" not in found.argv


def test_a_private_network_stands_around_all(tmp_path: Path, place: RunDirectory) -> None:
    wanted = order(tmp_path, "python app.py", network=Network.PRIVATE)
    found = command(wanted, place, BWRAP, 21003, "mark")
    assert found.argv[0] == "/usr/bin/pasta"
    assert "127.0.0.1/21003:3000" in found.argv
    assert (found.wrappers, found.shell) == (3, False)
    assert found.options[found.options.index("LEANCLOUD_APP_PORT") + 1] == "3000"
    bare = command(
        wanted, place, IsolationLadder(Isolation.NONE, "", (), "/usr/bin/pasta", CgroupSupport(None), ()), 21003, "mark"
    )
    assert (bare.wrappers, bare.shell) == (
        1,
        True,
    )  # the namespace's first process is a shell, which passes no signal on


def test_what_the_kernel_limits_is_not_counted(tmp_path: Path, place: RunDirectory) -> None:
    wanted = order(tmp_path, "x", memory=512 << 20, quota=1 << 30)
    found = command(wanted, place, NONE, 21003, "mark")
    watched = shim_order(wanted, facts(wanted, place, "/files/1a"), found, NONE)
    assert watched["limits"] == {
        "memory": 512 << 20, "cgroup_memory": 0, "pids": 512, "quota": 1 << 30, "file_size": 1 << 30,
        "paths": ["/files/1a/home", "/files/1a/tmp"],
    }  # fmt: skip
    held = IsolationLadder(Isolation.BWRAP, "b", (), "", CgroupSupport(tmp_path, frozenset({"memory"})), ())
    limited = shim_order(wanted, facts(wanted, place, group="/cg/x"), found, held)
    assert (limited["limits"]["memory"], limited["limits"]["cgroup_memory"], limited["cgroups"]) == (
        0,
        512 << 20,
        ["/cg/x"],
    )
    assert limited["limits"]["file_size"] == 0
    scoped = IsolationLadder(Isolation.SYSTEMD, "b", ("systemd-run",), "", CgroupSupport(None), ())
    assert shim_order(wanted, facts(wanted, place), found, scoped)["limits"]["cgroup_memory"] == 512 << 20
    json.dumps([watched, limited])


def test_a_group_is_made_where_none_is_refused(tmp_path: Path) -> None:
    support = IsolationLadder(Isolation.BWRAP, "b", (), "", CgroupSupport(tmp_path), ())
    assert instance_group(order(tmp_path, "x", isolation=Isolation.BWRAP), support, "1a") == tmp_path / "lb-instance-1a"
    assert instance_group(order(tmp_path, "x", isolation=Isolation.NONE), support, "1b") is None
    scoped = IsolationLadder(Isolation.SYSTEMD, "b", ("systemd-run",), "", CgroupSupport(tmp_path), ())
    assert instance_group(order(tmp_path, "x", isolation=Isolation.AUTO), scoped, "1c") is None
