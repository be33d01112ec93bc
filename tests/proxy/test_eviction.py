"""Who has to go first, with clients that only say what they are and a clock that the test turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from lb.proxy.eviction import FIRST_REQUEST_TIMEOUT, MOST_TURNED_AWAY, Evictor

if TYPE_CHECKING:
    from lb.proxy.http1.connection import Client

# spec: L5; attack 32


@dataclass(eq=False)
class Fake:
    """A client as `Evictor` sees one: `since` when it became idle, None while it is not."""

    house: House
    name: str
    since: float | None = None
    just_spoke: bool = False  # its next request has come and was not read yet
    closed: bool = False
    looks: int = 0

    @property
    def deadline(self) -> float:
        return 0.0 if self.since is None else self.since + 75

    def may_be_spared(self, _now: float) -> bool:
        self.looks += 1
        return self.since is not None

    def idle_since(self) -> float:
        assert self.since is not None
        return self.since

    def can_go(self) -> bool:
        return not self.just_spoke

    def abort(self) -> None:
        self.closed = True
        self.house.gone.append(self.name)
        self.house.evictor.spoke(cast("Client", self))


class House:
    def __init__(self) -> None:
        self.evictor = Evictor()
        self.clients: list[Fake] = []
        self.gone: list[str] = []

    def silent(self, name: str, at: float) -> Fake:
        fake = Fake(self, name)
        self.clients.append(fake)
        self.evictor.came(cast("Client", fake), at)
        return fake

    def idle(self, name: str, since: float | None) -> Fake:
        fake = self.silent(name, 0.0)
        self.evictor.spoke(cast("Client", fake))
        fake.since = since
        return fake

    def turned_away(self, name: str, at: float) -> Fake:
        fake = self.silent(name, at)
        self.evictor.spoke(cast("Client", fake))
        self.clients.remove(fake)  # it is not counted
        self.evictor.turned_away(cast("Client", fake))
        return fake

    def make(self, now: float) -> str:
        """The name of the one that had to go; "" if none had."""
        return self._one(self.evictor.make, now)

    def free_descriptor(self, now: float) -> str:
        """The same where descriptors are lacking."""
        return self._one(self.evictor.free_descriptor, now)

    def _one(self, choose: Callable[[Iterable[Client], float], bool], now: float) -> str:
        before = len(self.gone)
        found = choose(cast("list[Client]", [one for one in self.clients if not one.closed]), now)
        assert found == (len(self.gone) > before)
        return self.gone[-1] if found else ""


def test_who_never_spoke_goes_first_and_the_oldest_of_them() -> None:
    house = House()
    house.idle("idle", 1.0)
    house.silent("second", 11.0)
    house.silent("third", 12.0)
    house.clients[1], house.clients[2] = house.clients[2], house.clients[1]
    assert [house.make(20.0) for _ in range(4)] == ["second", "third", "idle", ""]


def test_a_newcomer_has_its_time() -> None:
    house = House()
    house.silent("new", 10.0)
    house.idle("idle", 9.0)
    now = 10.0 + FIRST_REQUEST_TIMEOUT / 2
    assert [house.make(now), house.make(now)] == ["idle", ""]
    assert house.make(10.0 + FIRST_REQUEST_TIMEOUT) == "new"


def test_the_longest_idle_goes_first_and_who_is_busy_never() -> None:
    house = House()
    for number in (3, 1, 2):
        house.idle(f"idle{number}", 10.0 + number)
    house.idle("busy", None)
    assert [house.make(100.0) for _ in range(4)] == ["idle1", "idle2", "idle3", ""]


def test_who_spoke_after_the_look_is_not_taken_for_idle() -> None:
    house = House()
    fakes = [house.idle(f"idle{number}", 10.0 + number) for number in range(6)]
    assert house.make(100.0) == "idle0"
    fakes[1].since = 101.0  # it asked, and is idle again
    fakes[2].since = None  # it is asking
    fakes[3].just_spoke = True
    fakes[4].closed = True
    assert house.make(102.0) == "idle5"


def test_a_request_that_has_just_come_is_not_silence() -> None:
    house = House()
    house.silent("spoke", 1.0).just_spoke = True
    house.silent("silent", 2.0)
    assert [house.make(20.0), house.make(20.0)] == ["silent", ""]
    house.clients[0].just_spoke = False  # it was no whole request: the rest of it has as much time again
    assert [house.make(20.0 + FIRST_REQUEST_TIMEOUT / 2), house.make(20.0 + FIRST_REQUEST_TIMEOUT)] == ["", "spoke"]


def test_one_that_was_turned_away_makes_no_room_for_another() -> None:
    house = House()
    house.silent("silent", 1.0)
    for number in range(400):
        house.turned_away(f"away{number}", 20.0)
    assert len(house.gone) == 400 - MOST_TURNED_AWAY  # so many are listened to, and no more
    assert [house.make(20.0), house.make(20.0)] == ["silent", ""]


def test_for_descriptors_those_turned_away_go_first() -> None:
    house = House()
    house.idle("idle", 1.0)
    left, *_ = [house.turned_away(f"away{number}", 20.0) for number in range(3)]
    house.evictor.forget(cast("Client", left))
    assert [house.free_descriptor(20.0) for _ in range(4)] == ["away1", "away2", "idle", ""]


def test_a_flood_does_not_buy_a_look_at_everybody_each_time() -> None:
    house = House()
    fakes = [house.idle(f"idle{number}", float(number)) for number in range(5000)]
    assert [house.make(10_000.0) for _ in range(1000)] == [f"idle{number}" for number in range(1000)]
    assert fakes[-1].looks <= 5
    for fake in fakes:
        fake.since = None
    looks = fakes[-1].looks
    for _ in range(1000):
        house.make(10_000.5)
    assert fakes[-1].looks <= looks + 3
    for _ in range(1000):
        house.make(10_001.5)
    assert fakes[-1].looks <= looks + 6


def test_a_small_house_is_looked_through_whenever_somebody_knocks() -> None:
    house = House()
    fakes = [house.idle(f"idle{number}", None) for number in range(10)]
    for _ in range(50):
        assert house.make(100.0) == ""
    for fake in fakes:  # they have been answered in the same moment
        fake.since = 100.0
    assert sorted(house.make(100.0) for _ in range(10)) == [fake.name for fake in fakes]
