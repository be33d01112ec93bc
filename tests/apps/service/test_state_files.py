"""What the engine keeps: identity, variables, placements, the lock; and what it does where a file is not its own."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import pytest

from lb.apps.service.app_record import new_app, read_app, write_app
from lb.apps.service.custom_variables import CustomVariables, VariableError
from lb.apps.service.deploy_state import DeployBook, DeployKind, DeployRecord, DeployState
from lb.apps.service.directory import EngineDirectory, StateFileError, default_directory
from lb.apps.service.git_push import PushedBranch, hook_text, read_push, repository_of
from lb.apps.service.lock import AppQueue, SupersededError
from lb.apps.service.parts import NotBuiltError
from lb.apps.service.placement_record import (
    EnvironmentWish,
    Placed,
    PlacementRecord,
    Retiring,
    read_placement,
    write_placement,
)
from lb.apps.service.upload import receive_source
from tests.apps.service.fakes import FakeClock, settle


def test_an_app_keeps_its_identity(tmp_path: Path) -> None:
    record = new_app("shop", 1000.0, "2.7")
    write_app(tmp_path / "app.json", record)
    assert read_app(tmp_path / "app.json") == record
    assert stat.S_IMODE((tmp_path / "app.json").stat().st_mode) == 0o600
    assert len({record.app_id, record.app_key, record.master_key, record.hook_key}) == 4
    assert record.app_key not in repr(record)


def test_variables_are_each_environments_own(tmp_path: Path) -> None:
    # spec: A3
    variables = CustomVariables(tmp_path / "env.json")
    odd = {"A": "x=y\nz ü", "B_2": ""}
    variables.set("production", odd)
    variables.set("staging", {"A": "other"}, secret=True)
    again = CustomVariables(tmp_path / "env.json")
    assert again.values("production") == odd
    assert again.of("staging")["A"].secret
    again.set("staging", {"A": "changed-value"})
    assert again.of("staging")["A"].secret, "a secret one stays so"
    assert "changed-value" in again.masked()
    assert stat.S_IMODE((tmp_path / "env.json").stat().st_mode) == 0o600
    again.unset("production", ["A"])
    assert again.values("production") == {"B_2": ""}
    with pytest.raises(VariableError, match="A is not set in production"):
        again.unset("production", ["A"])


@pytest.mark.parametrize("name", ["LEANCLOUD_APP_ID", "LC_APP_KEY", "PORT", "HOME", "1A", "A-B", "", "A B"])
def test_variables_of_the_platform_and_impossible_names_are_refused(tmp_path: Path, name: str) -> None:
    # spec: A3
    variables = CustomVariables(tmp_path / "env.json")
    with pytest.raises(VariableError):
        variables.set("production", {"FINE": "1", name: "x"})
    assert variables.values("production") == {}, "all of them are set, or none"


def test_a_placement_is_read_as_it_was_written(tmp_path: Path) -> None:
    # spec: A5
    record = PlacementRecord(
        7,
        EnvironmentWish.SLEEP,
        "20261130-090100",
        3,
        (
            Placed("1a2b3c4d", "web1", "20261130-090100", "unix:/s"),
            Placed("ff", "mailer", "20261130-090100", "", False),
        ),
        (Retiring("5e", "web1", "20261130-080000", 12.5, "boot", True, "d1"),),
        1,
    )
    write_placement(tmp_path / "placement.json", record)
    assert read_placement(tmp_path / "placement.json") == record
    assert read_placement(tmp_path / "none.json") == PlacementRecord()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"generation": "x"}', "\x00"])
def test_what_is_no_state_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "placement.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(StateFileError, match=r"placement\.json"):
        read_placement(path)


def test_deploys_that_ended_are_kept_for_a_while(tmp_path: Path) -> None:
    book = DeployBook(tmp_path / "deploy.json")
    for number in range(40):
        book.put(DeployRecord(f"d{number}", DeployKind.DEPLOY, "shop", "production", DeployState.FAILED))
    book.put(DeployRecord("now", DeployKind.DEPLOY, "shop", "production", DeployState.BUILDING))
    again = DeployBook(tmp_path / "deploy.json")
    assert [record.id for record in again.unfinished] == ["now"]
    assert len(list(again)) == 21


def test_the_directory_is_for_one_user_alone(tmp_path: Path) -> None:
    home = EngineDirectory(tmp_path / "engine")
    home.prepare()
    assert stat.S_IMODE((home.root / "apps").stat().st_mode) == 0o700
    home.root.chmod(0o777)
    with pytest.raises(PermissionError):
        home.prepare()


def test_where_the_directory_is_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_directory({"STATE_DIRECTORY": "/var/lib/lb-engine:/x"}) == Path("/var/lib/lb-engine")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert default_directory({"XDG_DATA_HOME": "/home/a/data"}) == Path("/home/a/data/lb")
    assert default_directory({}) == Path.home() / ".local" / "share" / "lb"


# The queue


async def test_the_lock_goes_with_its_holder_and_the_newest_waits(tmp_path: Path) -> None:
    # spec: A5
    queue = AppQueue(tmp_path / "lock", FakeClock())
    never = asyncio.Event()
    said: list[str] = []
    leave = asyncio.Event()

    async def hold(name: str, environment: str = "production", cancelled: asyncio.Event = never) -> str:
        async with queue.turn(environment, name, cancelled, said.append):
            await leave.wait()
            return name

    first = asyncio.ensure_future(hold("first"))
    await settle()
    second, other = asyncio.ensure_future(hold("second")), asyncio.ensure_future(hold("other", "staging"))
    await settle()
    third = asyncio.ensure_future(hold("third"))
    await settle()
    assert isinstance(second.exception(), SupersededError)
    assert said[0] == "first"
    leave.set()
    assert [await one for one in (first, third, other)] == ["first", "third", "other"]


# git


def test_what_a_push_means() -> None:
    zero, one, two = "0" * 40, "1" * 40, "2" * 40
    lines = [f"{zero} {one} refs/heads/main\n", f"{one} {two} refs/heads/staging\n", f"{one} {zero} refs/heads/x\n"]
    assert read_push(lines) == [
        PushedBranch("main", one, "production"),
        PushedBranch("staging", two, "staging"),
        PushedBranch("x", "", ""),
    ]
    with pytest.raises(ValueError):
        read_push(["nonsense\n"])


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("git-receive-pack '/shop'", ("git-receive-pack", "shop")),
        ("git receive-pack 'shop.git'", ("git-receive-pack", "shop")),
        ("git-upload-pack '/shop'", ("git-upload-pack", "shop")),
        ("sh -c id", None),
        ("git-receive-pack '../../etc'", None),
        ("git-receive-pack '/a/b'", None),
        ("git-receive-pack '--upload-pack=id'", None),
        ("git-receive-pack '/shop'; id", None),
        ("git-receive-pack 'unclosed", None),
        ("", None),
    ],
)
def test_a_git_key_opens_repositories_alone(asked: str, answer: tuple[str, str] | None) -> None:
    assert repository_of(asked) == answer


def test_the_hook_survives_odd_names() -> None:
    assert "'/etc/my lb.yaml'" in hook_text("shop", Path("/etc/my lb.yaml"))


# The source


async def test_a_source_that_does_not_arrive_leaves_nothing(tmp_path: Path) -> None:
    pieces = iter([b"x" * 100, None])

    async def next_chunk() -> bytes | None:
        return next(pieces)

    with pytest.raises(NotBuiltError, match="the connection ended"):
        await receive_source(next_chunk, 100, tmp_path / "source", lambda: None)
    assert not any(path.exists() for path in (tmp_path / "source", tmp_path / ".source.tar"))


async def test_a_source_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    pieces = iter([b"not a tar file at all", b""])

    async def next_chunk() -> bytes | None:
        return next(pieces)

    with pytest.raises(NotBuiltError) as raised:
        await receive_source(next_chunk, 0, tmp_path / "source", lambda: None)
    assert raised.value.is_project


async def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path) -> None:
    made_room: list[bool] = []

    async def next_chunk() -> bytes | None:
        raise AssertionError

    with pytest.raises(NotBuiltError, match="free, and"):
        await receive_source(next_chunk, 1 << 50, tmp_path / "source", lambda: made_room.append(True))
    assert made_room == [True]
