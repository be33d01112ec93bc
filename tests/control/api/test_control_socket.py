"""Where a supervisor and commands meet: names, stale sockets, and whose they are."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import threading
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from lb.control.api import control_socket
from lb.control.api.control_socket import ControlSocket, meet, open_meeting, user_elsewhere
from lb.process.start_error import StartError
from lb.tls.files.locking import locked, shared


@pytest.fixture
def environ(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    (short_path / "run").mkdir()
    monkeypatch.setattr(control_socket, "_SYSTEM", short_path / "nothing")
    return {"XDG_RUNTIME_DIR": str(short_path / "run")}


def met(file: Path, environ: dict[str, str]) -> bool:
    sock = meet(file, environ)
    if sock is None:
        return False
    sock.close()
    return True


def names(directory: Path) -> set[str]:
    """What is there besides the lock."""
    return {path.name for path in directory.iterdir()} - {".lock"}


def end(meeting: ControlSocket) -> None:
    """As the death of a process does: the name stays."""
    meeting.listener.close()


def test_it_is_for_this_user_alone(environ: dict[str, str], tmp_path: Path) -> None:
    meeting = open_meeting(tmp_path / "shop.yaml", environ)
    [path] = meeting.paths
    assert path.parent == Path(environ["XDG_RUNTIME_DIR"]) / "lb"
    assert path.name.startswith("shop-")
    assert meeting.listener.getsockname() == str(path)  # which is what `ss` shows
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    meeting.leave()
    assert names(path.parent) == set()


def test_whose_it_is_where_nobody_else_looks(
    environ: dict[str, str], tmp_path: Path, short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for elsewhere in (False, True):
        places = str((short_path / ("run" if elsewhere else "nothing") / "l*").relative_to("/"))
        monkeypatch.setattr(control_socket, "_PLACES_OF_USERS", (places,))
        meeting = open_meeting(tmp_path / "shop.yaml", environ)
        assert met(tmp_path / "shop.yaml", {"XDG_RUNTIME_DIR": str(tmp_path)}) is False
        assert user_elsewhere(tmp_path / "shop.yaml") == (os.getuid() if elsewhere else None)
        assert user_elsewhere(tmp_path / "other.yaml") is None
        end(meeting)  # its name is left behind, and means nothing
        assert user_elsewhere(tmp_path / "shop.yaml") is None


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
    with pytest.raises(StartError, match=rf"shop.yaml is already served by process {os.getpid()}"):
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


def test_a_successor_that_cannot_listen_leaves_the_place_as_it_was(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shop.yaml"
    old = open_meeting(file, environ)

    def refuse(_: Path) -> socket.socket:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(control_socket, "_listen", refuse)
        with pytest.raises(OSError, match="No space"):
            open_meeting(file, environ, succeed=True)
    assert met(file, environ)
    old.leave()
    assert names(old.paths[0].parent) == set()


def test_commands_come_through_while_successors_take_over(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_socket, "_QUEUE", 4096)  # nobody accepts here
    file = tmp_path / "shop.yaml"
    meetings = [open_meeting(file, environ)]
    asked: list[bool] = []
    stop = threading.Event()

    def command() -> None:
        while not stop.is_set():
            asked.append(met(file, environ))

    thread = threading.Thread(target=command)
    thread.start()
    while len(meetings) <= 30 or (len(asked) <= 10 and thread.is_alive()):
        meetings.append(open_meeting(file, environ, succeed=True))
    stop.set()
    thread.join()
    for meeting in meetings:
        meeting.leave()
    assert len(asked) > 10
    assert all(asked)


def test_names_of_services_that_were_killed_go_with_the_next_start(environ: dict[str, str], tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(tmp_path / "old.yaml")
    end(open_meeting(link, environ))  # two names
    living = open_meeting(tmp_path / "living.yaml", environ)
    directory = living.paths[0].parent
    foreign = ["notes.txt", "other.sock", "shop-0123456789abcdef.sock"]
    for name in foreign:
        (directory / name).touch()
    meeting = open_meeting(tmp_path / "shop.yaml", environ)
    assert names(directory) == {*foreign, living.paths[0].name, meeting.paths[0].name}
    assert met(tmp_path / "living.yaml", environ)
    for one in (living, meeting):
        one.leave()


def test_one_that_does_not_accept_is_not_taken_for_dead(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "busy.yaml"
    busy = open_meeting(file, environ)
    with ExitStack() as waiting:
        for _ in range(40):
            sock = waiting.enter_context(socket.socket(socket.AF_UNIX))
            sock.setblocking(False)
            with suppress(BlockingIOError):
                sock.connect(str(busy.paths[0]))
        other = open_meeting(tmp_path / "other.yaml", environ)
        assert busy.paths[0].exists()
        with pytest.raises(StartError, match="already served by a process that accepts no commands at the moment"):
            open_meeting(file, environ)
    busy.leave()
    other.leave()


def test_a_successor_takes_over_and_keeps_it(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    old = open_meeting(file, environ)
    new = open_meeting(file, environ, succeed=True)
    assert new.listener.getsockname() == old.listener.getsockname() == str(new.paths[0])
    assert names(new.paths[0].parent) == {new.paths[0].name}
    old.leave()
    assert met(file, environ)
    new.leave()
    assert not met(file, environ)


def test_who_has_left_takes_no_name_away_from_a_later_one(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    first = open_meeting(file, environ)
    first.leave()
    second = open_meeting(file, environ)
    replace(first, identity=second.identity).leave()  # file systems give a number away again
    assert met(file, environ)
    second.leave()


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
    monkeypatch.setattr(control_socket, "_SYSTEM", short_path / "unit")
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
    monkeypatch.setattr(control_socket, "_fallback", lambda: place)
    with pytest.raises(OSError, match=r"only|File exists"):
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
    assert control_socket.peer(sock) == os.getpid()
    sock.close()
    meeting.leave()
    assert isinstance(meeting.listener, socket.socket)


def test_what_drains_makes_room_and_is_found_until_somebody_serves(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # spec: L6, R2
    monkeypatch.setattr(control_socket, "_directories", lambda _: [Path(environ["XDG_RUNTIME_DIR"]) / "lb"])
    file, link = tmp_path / "shop.yaml", tmp_path / "link.yaml"
    file.touch()
    link.symlink_to(file)
    first = open_meeting(link, environ)
    drains = first.step_back()
    for name in (file, link):
        assert listens(name, environ, drains)
    assert [path.suffix for path in control_socket.services(environ)] == [".end"]
    second = open_meeting(link, environ)
    for name in (file, link):
        assert listens(name, environ, second)
    assert [path.suffix for path in control_socket.services(environ)] == [".sock"]
    assert second.step_back().listener is second.listener  # whose turn it is to be found, now
    drains.leave()
    assert listens(file, environ, second)
    assert first.step_back() is first  # the name is not its own any more
    second.step_back().leave()
    assert not met(file, environ)


def listens(file: Path, environ: dict[str, str], meeting: ControlSocket) -> bool:
    """Whether commands about `file` reach this one."""
    sock = meet(file, environ)
    assert sock is not None
    with sock:
        meeting.listener.settimeout(5)
        connection, _ = meeting.listener.accept()
        connection.close()
    return True


def test_a_lock_that_somebody_keeps_holds_up_no_end_and_nobody_for_ever(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shop.yaml"
    meeting = open_meeting(file, environ)
    directory = meeting.paths[0].parent
    descriptor = os.open(directory, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)  # which anybody may do who may look into it
    assert met(file, environ)
    lock = os.open(directory / ".lock", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    for function in (locked, shared):
        monkeypatch.setattr(function.__wrapped__, "__kwdefaults__", {"timeout": 0.1})  # type: ignore[attr-defined]
    with pytest.raises(TimeoutError, match="another process has kept the lock"):
        meet(file, environ)
    with pytest.raises(TimeoutError):
        open_meeting(tmp_path / "other.yaml", environ)
    meeting.leave()
    assert meeting.listener.fileno() == -1
    os.close(lock)
    os.close(descriptor)
    open_meeting(file, environ).leave()  # the name that stayed means nothing
    assert names(directory) == set()
