"""Launch and wait, as one step: what fails leaves nothing, and only a taken port is tried again."""

from __future__ import annotations

from pathlib import Path

import pytest

from lb.apps.run import start
from lb.apps.run.order import InstanceOrder
from lb.apps.run.start_check import StartCheck, StartFailed
from lb.apps.run.start_failure import StartReport
from tests.apps.run.making import order

CHECK = StartCheck("shop.example.com")


class FakeRunning:
    """An instance that says what was done to it."""

    def __init__(self, done: list[str]) -> None:
        self._done = done

    async def kill(self) -> None:
        self._done.append("kill")

    def forget(self) -> None:
        self._done.append("forget")


def scripted(monkeypatch: pytest.MonkeyPatch, *failures: StartReport | None) -> list[str]:
    """Each start fails with its report, or succeeds with None; returns what will have been done."""
    done: list[str] = []
    left = list(failures)

    async def launch(_: InstanceOrder, __: Path) -> FakeRunning:
        done.append("launch")
        return FakeRunning(done)

    async def wait(*_: object) -> None:
        done.append("check")
        report = left.pop(0)
        if report is not None:
            raise StartFailed(report)

    monkeypatch.setattr(start, "launch", launch)
    monkeypatch.setattr(start, "wait_until_healthy", wait)
    return done


async def test_a_healthy_one_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = scripted(monkeypatch, None)
    await start.start_instance(order(tmp_path, "x"), tmp_path, CHECK)
    assert done == ["launch", "check"]


async def test_a_failed_one_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = scripted(monkeypatch, StartReport("it failed", "", ()))
    with pytest.raises(StartFailed, match="it failed"):
        await start.start_instance(order(tmp_path, "x"), tmp_path, CHECK)
    assert done == ["launch", "check", "kill", "forget"]


async def test_a_taken_port_is_tried_once_more_and_not_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = StartReport("taken", "", (), again=True)
    done = scripted(monkeypatch, taken, taken)
    with pytest.raises(StartFailed, match="taken"):
        await start.start_instance(order(tmp_path, "x"), tmp_path, CHECK)
    assert done == ["launch", "check", "kill", "forget"] * 2


async def test_one_that_does_not_listen_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = scripted(monkeypatch)
    await start.start_instance(order(tmp_path, "x", listens=False), tmp_path, CHECK)
    assert done == ["launch"]
