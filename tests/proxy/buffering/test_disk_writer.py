"""The thread that writes bodies to files without a name, and the loop that does not wait for it."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest

from lb.proxy.buffering import disk_writer
from lb.proxy.buffering.disk_writer import DiskWriter, UnlinkedFile, directories


class Owner:
    client = "its client"

    def __init__(self, told: asyncio.Queue[tuple[int, int]]) -> None:
        self._told = told

    def written(self, size: int, error: int) -> None:
        self._told.put_nowait((size, error))


class Faulty:
    client = "the faulty one's client"

    def written(self, _size: int, _error: int) -> None:
        raise LookupError


class StuckFile(UnlinkedFile):
    """On a disk that hangs until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def append(self, data: bytearray) -> None:
        self.released.wait(30)
        super().append(data)


class FullFile(UnlinkedFile):
    def append(self, _data: bytearray) -> None:
        raise OSError(errno.ENOSPC, "no space")


class Unaffordable(UnlinkedFile):
    def append(self, _data: bytearray) -> None:
        raise MemoryError


# spec: F6
def test_a_file_has_no_name_and_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    file = UnlinkedFile()
    assert list(tmp_path.iterdir()) == []
    file.append(bytearray(b"one"))
    file.append(bytearray(b"two"))
    assert list(tmp_path.iterdir()) == []
    assert os.fstat(file.fd).st_nlink == 0
    assert os.pread(file.fd, 100, 0) == b"onetwo"
    assert not os.get_inheritable(file.fd)
    file.close()
    assert file.fd == -1
    file.close()


# spec: F6
def test_nor_has_one_where_the_file_system_makes_no_nameless_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: object, flags: int, *rest: int, **_more: int) -> int:
        if flags & os.O_DIRECTORY == os.O_DIRECTORY:  # O_TMPFILE contains it
            raise OSError(errno.EOPNOTSUPP, "not here")
        return plain(path, flags, *rest)  # type: ignore[arg-type]

    plain = os.open
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(os, "open", refuse)
    file = UnlinkedFile()
    file.append(bytearray(b"one"))
    assert list(tmp_path.iterdir()) == []
    assert os.pread(file.fd, 100, 0) == b"one"
    file.close()


def test_where_files_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert directories() == (str(tmp_path),)
    monkeypatch.delenv("TMPDIR")
    assert directories() == ("/var/tmp", "/tmp")
    monkeypatch.setattr(disk_writer, "_USUAL", (str(tmp_path / "missing"), str(tmp_path)))
    file = UnlinkedFile()
    file.append(bytearray(b"one"))
    file.close()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))  # what was asked for is not replaced by something else
    with pytest.raises(FileNotFoundError):
        file.append(bytearray(b"one"))


# spec: F6
def test_the_loop_goes_on_while_the_disk_hangs() -> None:
    async def run() -> None:
        told: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
        writer = DiskWriter(asyncio.get_running_loop(), lambda *_: None)
        file = StuckFile()
        writer.write(Owner(told), file, bytearray(b"abc"))
        await asyncio.sleep(0)
        assert told.empty()
        file.released.set()
        assert await asyncio.wait_for(told.get(), 20) == (3, 0)
        writer.close()
        file.close()

    asyncio.run(run())


# spec: F6
@pytest.mark.parametrize(("file", "error"), [(FullFile(), errno.ENOSPC), (Unaffordable(), errno.ENOMEM)])
def test_a_refusal_is_told_and_the_next_write_goes_on(file: UnlinkedFile, error: int) -> None:
    async def run() -> None:
        told: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
        writer = DiskWriter(asyncio.get_running_loop(), lambda *_: None)
        good = UnlinkedFile()
        writer.write(Owner(told), file, bytearray(b"abc"))
        writer.write(Owner(told), good, bytearray(b"de"))
        assert await asyncio.wait_for(told.get(), 20) == (3, error)
        assert await asyncio.wait_for(told.get(), 20) == (2, 0)
        writer.close()
        good.close()

    asyncio.run(run())


def test_a_fault_of_one_owner_ends_its_client_and_no_other() -> None:
    async def run() -> None:
        told: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
        faults: list[tuple[object, Exception]] = []
        writer = DiskWriter(asyncio.get_running_loop(), lambda client, error: faults.append((client, error)))
        one, other = UnlinkedFile(), UnlinkedFile()
        writer.write(Faulty(), one, bytearray(b"abc"))
        writer.write(Owner(told), other, bytearray(b"de"))
        assert await asyncio.wait_for(told.get(), 20) == (2, 0)
        assert [(client, type(error)) for client, error in faults] == [("the faulty one's client", LookupError)]
        writer.close()
        one.close()
        other.close()

    asyncio.run(run())


def test_a_loop_that_is_closed_ends_the_thread() -> None:
    loop = asyncio.new_event_loop()
    writer = DiskWriter(loop, lambda *_: None)
    file = StuckFile()
    told: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
    before = set(threading.enumerate())
    writer.write(Owner(told), file, bytearray(b"abc"))
    (thread,) = set(threading.enumerate()) - before
    loop.close()
    file.released.set()
    thread.join(20)
    assert not thread.is_alive()
    file.close()


# spec: F6
def test_a_system_without_a_thread_to_give_is_told_as_a_lack_and_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        told: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
        writer = DiskWriter(asyncio.get_running_loop(), lambda *_: None)
        file = UnlinkedFile()
        with monkeypatch.context() as lacking:
            lacking.setattr(threading.Thread, "start", refuse)
            writer.write(Owner(told), file, bytearray(b"abc"))
            assert told.empty()  # the owner is told from the loop
            assert await asyncio.wait_for(told.get(), 20) == (3, errno.ENOMEM)
        writer.write(Owner(told), file, bytearray(b"de"))
        assert await asyncio.wait_for(told.get(), 20) == (2, 0)
        assert os.pread(file.fd, 10, 0) == b"de"  # what was refused is not written later
        writer.close()
        file.close()

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    asyncio.run(run())
