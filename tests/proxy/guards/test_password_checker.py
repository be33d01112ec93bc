"""Verifying beside the loop: bounds, what is remembered and for how long, and one verification for many who ask."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from lb.errors import ProxyError
from lb.passwords.apr1 import apr1
from lb.passwords.password_hash import PasswordHash, parse_hash
from lb.proxy.guards import password_checker
from lb.proxy.guards.password_checker import PasswordChecker

HASH = parse_hash(apr1(b"secret", b"x"))


@pytest.fixture
def checker() -> Iterator[PasswordChecker]:
    loop = asyncio.new_event_loop()
    made = PasswordChecker(loop)
    try:
        yield made
    finally:
        made.close()
        loop.close()


class Held:
    """Verifications that take until `go` is set."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun: list[bytes] = []

    def __call__(self, _known: PasswordHash, password: bytes) -> bool:
        self.begun.append(password)
        assert self.go.wait(30)
        if password == b"bang":
            raise MemoryError
        return password == b"secret"


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held = Held()
    monkeypatch.setattr(password_checker, "verify", held)
    yield held
    held.go.set()


class Told(list[bool | None]):
    """What was told, and a way to wait until so much was."""

    def wait(self, loop: asyncio.AbstractEventLoop, count: int) -> None:
        self.full = asyncio.Event()
        self.wanted = count

        async def wait() -> None:
            async with asyncio.timeout(30):
                await self.full.wait()

        if len(self) < count:
            loop.run_until_complete(wait())

    def __call__(self, is_right: bool | None) -> None:
        self.append(is_right)
        if len(self) == getattr(self, "wanted", 0):
            self.full.set()


def test_a_password_is_verified_beside_the_loop(checker: PasswordChecker) -> None:
    told = Told()
    for password in (b"secret", b"sekret"):
        checker.verify(checker.mark(HASH, b"alice", password), HASH, password, told)
    assert told == []
    told.wait(checker._loop, 2)
    assert sorted(told, key=str) == [False, True]


def test_the_same_pair_is_verified_once_for_all_who_bring_it(checker: PasswordChecker, held: Held) -> None:
    told = Told()
    mark = checker.mark(HASH, b"alice", b"secret")
    for _ in range(5):
        checker.verify(mark, HASH, b"secret", told)
    assert checker.is_running(mark)
    held.go.set()
    told.wait(checker._loop, 5)
    assert told == [True] * 5
    assert held.begun == [b"secret"]
    assert not checker.is_running(mark)


# spec: L5
def test_a_bounded_number_waits(checker: PasswordChecker, held: Held) -> None:
    told = Told()
    for number in range(66):
        checker.verify(b"%d" % number, HASH, b"x", told)
    with pytest.raises(ProxyError) as error:
        checker.verify(b"one more", HASH, b"x", told)
    assert error.value.cause.code == "authentication_busy"
    checker.verify(b"0", HASH, b"x", told)  # it waits for one that is there already
    held.go.set()
    told.wait(checker._loop, 67)
    assert len(held.begun) == 66


def test_a_failure_is_told_and_logged(checker: PasswordChecker, held: Held, caplog: pytest.LogCaptureFixture) -> None:
    told = Told()
    held.go.set()
    checker.verify(b"mark", HASH, b"bang", told)
    told.wait(checker._loop, 1)
    assert told == [None]
    assert "could not be verified" in caplog.text
    assert "bang" not in caplog.text


def test_a_right_pair_is_remembered_for_a_minute(checker: PasswordChecker) -> None:
    mark = checker.mark(HASH, b"alice", b"secret")
    assert not checker.remembers(mark, 100.0)
    checker.remember(mark, 100.0)
    assert checker.remembers(mark, 159.0)
    assert not checker.remembers(mark, 160.0)
    checker.remember(mark, 150.0)
    checker.remember(b"other", 200.0)
    assert checker.remembers(mark, 201.0)
    checker.remember(b"third", 211.0)
    assert list(checker._right) == [b"other", b"third"]


def test_what_is_remembered_is_bounded_and_no_password(checker: PasswordChecker) -> None:
    for number in range(5000):
        checker.remember(checker.mark(HASH, b"alice", b"%d" % number), 1.0)
    assert len(checker._right) == 4096
    assert {len(mark) for mark in checker._right} == {32}


def test_no_other_pair_has_the_same_mark(checker: PasswordChecker) -> None:
    other = parse_hash(apr1(b"secret", b"y"))
    pairs = [(HASH, b"a", b"bc"), (HASH, b"ab", b"c"), (HASH, b"", b"abc"), (other, b"a", b"bc")]
    assert len({checker.mark(*pair) for pair in pairs}) == len(pairs)
    assert PasswordChecker(checker._loop).mark(*pairs[0]) != checker.mark(*pairs[0])  # the key is the worker's own


def test_a_loop_that_is_closed_meanwhile_is_told_nothing(held: Held) -> None:
    loop = asyncio.new_event_loop()
    checker = PasswordChecker(loop)
    told = Told()
    checker.verify(b"mark", HASH, b"secret", told)
    checker.close()
    loop.close()
    held.go.set()
    assert checker._pool is not None
    checker._pool.shutdown(wait=True)
    assert told == []
