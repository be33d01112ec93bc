"""Where a supervisor and commands meet: names, stale sockets, and whose they are."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from lb.control import rendezvous
from lb.control.errors import StartError
from lb.control.rendezvous import Meeting, meet, open_meeting


@pytest.fixture
def environ(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    (short_path / "run").mkdir()
    monkeypatch.setattr(rendezvous, "_SYSTEM", short_path / "nothing")
    return {"XDG_RUNTIME_DIR": str(short_path / "run")}


def met(file: Path, environ: dict[str, str]) -> bool:
    sock = meet(file, environ)
    if sock is None:
        return False
    sock.close()
    return True


def end(meeting: Meeting) -> None:
    """As the death of a process does: the name stays."""
    meeting.listener.close()


def test_it_is_for_this_user_alone(environ: dict[str, str], tmp_path: Path) -> None:
    meeting = open_meeting(tmp_path / "shop.yaml", environ)
    [path] = meeting.paths
    assert path.parent == Path(environ["XDG_RUNTIME_DIR"]) / "lb"
    assert path.name.startswith("shop-")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    meeting.leave()
    assert list(path.parent.iterdir()) == []


def test_it_is_found_by_every_spelling(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shop.yaml"
    file.touch()
    link = tmp_path / "current.yaml"
    link.symlink_to(file)
    meeting = open_meeting(link, environ)
    monkeypatch.chdir(tmp_path)
    for spelling in (file, link, Path("shop.yaml"), Path("./current.yaml"), tmp_path / "x" / ".." / "shop.yaml"):
        assert met(spelling, environ), spelling
    link.unlink()
    link.symlink_to(tmp_path / "next.yaml")  # as a deployment does
    assert met(link, environ)
    assert not met(tmp_path / "next.yaml", environ)
    meeting.leave()
    assert not met(link, environ)
    assert not met(file, environ)


def test_one_supervisor_a_file(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    meeting = open_meeting(file, environ)
    with pytest.raises(StartError, match=rf"shop.yaml is already being served by process {os.getpid()}"):
        open_meeting(file, environ)
    assert met(file, environ)  # it was not stolen
    other = open_meeting(tmp_path / "other.yaml", environ)
    other.leave()
    meeting.leave()


def test_what_a_dead_process_left_is_replaced(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    end(open_meeting(file, environ))
    assert not met(file, environ)
    meeting = open_meeting(file, environ)
    assert met(file, environ)
    meeting.leave()


def test_a_successor_takes_over_and_keeps_it(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    old = open_meeting(file, environ)
    new = open_meeting(file, environ, succeed=True)
    old.leave()
    assert met(file, environ)
    new.leave()
    assert not met(file, environ)


def test_systemds_directory_goes_first(environ: dict[str, str], tmp_path: Path, short_path: Path) -> None:
    (short_path / "unit").mkdir()
    meeting = open_meeting(tmp_path / "a.yaml", {**environ, "RUNTIME_DIRECTORY": f"{short_path}/unit:{short_path}/b"})
    assert meeting.paths[0].parent == short_path / "unit"
    assert not met(tmp_path / "a.yaml", environ)
    assert met(tmp_path / "a.yaml", {"RUNTIME_DIRECTORY": f"{short_path}/unit"})
    meeting.leave()


def test_a_command_from_outside_of_the_unit_finds_it(
    environ: dict[str, str], tmp_path: Path, short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (short_path / "unit").mkdir()
    meeting = open_meeting(tmp_path / "a.yaml", {"RUNTIME_DIRECTORY": str(short_path / "unit")})
    monkeypatch.setattr(rendezvous, "_SYSTEM", short_path / "unit")
    assert met(tmp_path / "a.yaml", {})
    meeting.leave()


@pytest.mark.parametrize("kind", ["open to others", "a link", "a file"])
def test_a_directory_that_others_may_have_made_is_not_trusted(
    short_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    place = short_path / "lb-0"
    if kind == "open to others":
        place.mkdir()
        place.chmod(0o755)
    elif kind == "a link":
        (short_path / "elsewhere").mkdir(mode=0o700)
        place.symlink_to(short_path / "elsewhere")
    else:
        place.touch()
    monkeypatch.setattr(rendezvous, "_fallback", lambda: place)
    with pytest.raises(OSError, match=r"alone|File exists"):
        open_meeting(tmp_path / "a.yaml", {})
    assert meet(tmp_path / "a.yaml", {}) is None


def test_a_path_without_room_is_an_error_of_the_system(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    with pytest.raises(OSError, match="too long"):
        open_meeting(tmp_path / "a.yaml", {"XDG_RUNTIME_DIR": str(long)})


def test_the_other_side_is_known(environ: dict[str, str], tmp_path: Path) -> None:
    meeting = open_meeting(tmp_path / "a.yaml", environ)
    sock = meet(tmp_path / "a.yaml", environ)
    assert sock is not None
    assert rendezvous.peer(sock) == os.getpid()
    sock.close()
    meeting.leave()
    assert isinstance(meeting.listener, socket.socket)
