"""The wheel of deadlines with a clock that the test turns."""

from __future__ import annotations

import weakref

from lb.proxy.io.deadlines import NEVER, WIDTH, Deadlines
from lb.proxy.io.wire import Wire

START = 1000.0


def _fail(_wire: object, error: Exception) -> None:
    raise AssertionError from error


class Clocked(Wire):
    """Writes down when it expired; `then` is the deadline that it sets itself."""

    __slots__ = ("__weakref__", "expirations", "then", "wheel")

    def __init__(self, wheel: Deadlines, then: float | None = None) -> None:
        super().__init__()
        self.wheel = wheel
        self.then = then
        self.expirations: list[float] = []

    def expired(self) -> None:
        self.expirations.append(self.wheel.now)
        if self.then is not None:
            self.wheel.watch(self, self.then)
            self.then = None


def _turn(wheel: Deadlines, until: float, step: float = WIDTH) -> None:
    now = wheel.now
    while now < until:
        now = min(now + step, until)
        wheel.advance(now)


def test_it_expires_late_by_a_slot_at_most_and_never_early() -> None:
    # spec: L4
    for step in (WIDTH, WIDTH / 3, 1.7):  # the poller comes back whenever something happens
        for after in (0.0, 0.1, WIDTH, 1.0, 60.0, 127.0, 128.5, 300.0, 1000.0):
            wheel = Deadlines(START, _fail)
            wire = Clocked(wheel)
            wheel.watch(wire, START + after)
            now, last = START, START - 1
            while not wire.expirations:
                last, now = now, now + step
                wheel.advance(now)
            assert last - WIDTH <= START + after <= now, (step, after)


def test_it_expires_once() -> None:
    wheel = Deadlines(START, _fail)
    wire = Clocked(wheel)
    wheel.watch(wire, START + 1)
    _turn(wheel, START + 400)
    assert len(wire.expirations) == 1
    assert wire.deadline == NEVER


def test_a_deadline_that_moves_on_costs_an_assignment() -> None:
    wheel = Deadlines(START, _fail)
    wire = Clocked(wheel)
    wheel.watch(wire, START + 1)
    slot = wire.slot
    for step in range(40):
        wire.deadline = START + 2 + step / 4
        _turn(wheel, START + (step + 1) / 4)
        assert wire.expirations == []
    assert wire.slot != slot
    _turn(wheel, START + 20)
    assert len(wire.expirations) == 1
    assert wire.expirations[0] >= START + 2 + 39 / 4


def test_a_nearer_deadline_moves_at_once() -> None:
    wheel = Deadlines(START, _fail)
    wire = Clocked(wheel)
    wheel.watch(wire, START + 100)
    wheel.watch(wire, START + 1)
    _turn(wheel, START + 2)
    assert len(wire.expirations) == 1


def test_who_is_forgotten_does_not_expire() -> None:
    wheel = Deadlines(START, _fail)
    wire, other = Clocked(wheel), Clocked(wheel)
    wheel.watch(wire, START + 1)
    wheel.watch(other, START + 1)
    wheel.forget(wire)
    wheel.forget(wire)
    _turn(wheel, START + 2)
    assert (wire.expirations, wire.slot) == ([], -1)
    assert len(other.expirations) == 1


def test_a_new_deadline_within_expired_counts() -> None:
    wheel = Deadlines(START, _fail)
    wire = Clocked(wheel, then=START + 5)
    wheel.watch(wire, START + 1)
    _turn(wheel, START + 4.5)
    assert len(wire.expirations) == 1
    _turn(wheel, START + 6)
    assert len(wire.expirations) == 2


def test_one_that_expires_may_forget_another_of_the_same_slot() -> None:
    wheel = Deadlines(START, _fail)
    wires = [Clocked(wheel) for _ in range(2)]

    class Jealous(Clocked):
        __slots__ = ()

        def expired(self) -> None:
            super().expired()
            for wire in wires:
                wheel.forget(wire)
                wire.deadline = NEVER

    jealous = Jealous(wheel)
    for wire in (wires[0], jealous, wires[1]):
        wheel.watch(wire, START + 1)
    _turn(wheel, START + 400)
    assert len(jealous.expirations) == 1


def test_a_process_that_slept_tells_everybody_once() -> None:
    wheel = Deadlines(START, _fail)
    wires = [Clocked(wheel) for _ in range(20)]
    for number, wire in enumerate(wires):
        wheel.watch(wire, START + 10 * number)
    wheel.advance(START + 10_000)
    assert wheel.now == START + 10_000
    assert [len(wire.expirations) for wire in wires] == [1] * 20
    late = Clocked(wheel)
    wheel.watch(late, START + 10_001)
    _turn(wheel, START + 10_002)
    assert len(late.expirations) == 1


def test_wherever_the_wheel_stands_who_is_forgotten_is_let_go() -> None:
    wheel = Deadlines(START, _fail)
    for turn in range(600):
        wheel.advance(START + turn * WIDTH)
        wire = Clocked(wheel)
        wheel.watch(wire, wheel.now + 5.0)
        wheel.watch(wire, wheel.now + 0.1)
        wheel.forget(wire)
        gone = weakref.ref(wire)
        del wire
        assert gone() is None


class Faulty(Clocked):
    """Fails when it expires."""

    __slots__ = ()

    def expired(self) -> None:
        raise ValueError


def test_one_that_fails_is_told_and_keeps_nobody_else_from_expiring() -> None:
    told: list[object] = []
    wheel = Deadlines(START, lambda wire, _error: told.append(wire))
    faulty = [Faulty(wheel) for _ in range(3)]
    well = [Clocked(wheel) for _ in range(3)]
    for wire in (*faulty, *well):
        wheel.watch(wire, START + 1.0)
    _turn(wheel, START + 2.0)
    assert set(told) == set(faulty)
    assert [len(wire.expirations) for wire in well] == [1, 1, 1]
