"""The store when it is removed, read by others, or contains partial files."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lb.tls.acme.store import Store

NAME = "a.example"


def lock(store: Store) -> None:
    with store.lock(NAME) as ours:
        assert ours


@pytest.mark.parametrize(
    "step",
    [
        lambda store: store.save_state(NAME, {}),
        lambda store: store.save_status({}),
        lambda store: store.install(NAME, b"key", b"chain"),
        lambda store: store.put_answer("token", "answer"),
        lambda store: store.save_account_part("https://ca.example/directory", "key.pem", b"key"),
        lambda store: store.ask_for(NAME),
        lock,
    ],
)
@pytest.mark.parametrize("removed", ["", "certificates", "locks", "states", "accounts"])
def test_a_store_that_was_removed_is_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, step: Callable[[Store], None], removed: str
) -> None:
    store = Store(tmp_path / "store")
    store.prepare()
    step(store)
    shutil.rmtree(store.root / removed)
    step(store)
    step(store)
    assert caplog.text.count("was removed: making it again") <= 1
    assert stat.S_IMODE(store.root.stat().st_mode) == 0o700


def test_what_is_missing_for_another_reason_is_an_error(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.prepare()
    calls = 0

    def step() -> None:
        nonlocal calls
        calls += 1
        raise FileNotFoundError

    with pytest.raises(FileNotFoundError):
        store._again_if_removed(step)
    assert calls == 1


def test_life_is_shown_only_where_there_is_a_status(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.prepare()
    assert not store.show_life()
    store.save_status({})
    assert store.show_life()


def test_halves_of_files_are_swept_wherever_they_are_when_nobody_can_be_at_them(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.prepare()
    store.save_account_part("https://ca.example/directory", "key.pem", b"key")
    (store.root / "local").mkdir()
    [account] = (store.root / "accounts").iterdir()
    places = [store.root, account, store.root / "local", store.root / "certificates", store.challenges]
    old = time.time() - 2 * 86400
    for place in places:
        for name, when in ((".0a1b.new", old), (".0c1d.new", time.time()), ("kept.pem", old)):
            (place / name).touch()
            os.utime(place / name, (when, when))
    store.sweep()
    for place in places:
        left = {path.name for path in place.iterdir() if path.is_file()} - {"key.pem"}
        assert left == {".0c1d.new"} | ({"kept.pem"} if place != store.challenges else set())
