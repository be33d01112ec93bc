"""Handshakes that wait for a certificate: which wait, which may not, and how each wait ends."""

# spec: T5 L5

from __future__ import annotations

import pytest

from lb.tls.handshake.pending import PendingHandshakes

PLACES = 16
ANYBODY = 0


class Hand:
    """A connection in its handshake: what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def go_on(self) -> None:
        self.told.append("go on")

    def turn_down(self) -> None:
        self.told.append("turned down")


class Scene:
    """One worker's held handshakes, and what was asked for."""

    def __init__(self) -> None:
        self.admitted = True
        self.asked: list[str] = []
        self.held = PendingHandshakes(lambda _name, _now: self.admitted)
        self.held.on_miss = self.asked.append

    def come(self, name: str = "a", now: float = 0.0, client: int = ANYBODY, places: int = PLACES) -> Hand | None:
        """A connection whose client hello names this: None where it cannot wait."""
        hand = Hand()
        waits = self.held.may_hold(name, now) and self.held.hold(hand, client, places, now)
        return hand if waits else None

    def must_come(self, name: str = "a", now: float = 0.0) -> Hand:
        hand = self.come(name, now)
        assert hand is not None
        return hand

    def arrive(self, *names: str) -> None:
        self.held.arrived(lambda name: name in names, lambda _: True)

    def is_empty(self) -> bool:
        return not self.held._waiting and not self.held._by_client


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_all_who_wait_for_a_name_go_on_when_it_is_there(scene: Scene) -> None:
    first, second, other = scene.must_come("a"), scene.must_come("a", 3), scene.must_come("b", 3)
    scene.arrive("a", "unasked")
    assert first.told == second.told == ["go on"]
    assert other.told == []
    scene.arrive("a", "b")
    assert other.told == ["go on"]
    assert first.told == ["go on"]
    assert scene.is_empty()
    assert scene.held.may_hold("a", 4)
    assert scene.held.is_new(4)  # should it be missing again


def test_a_name_is_asked_for_as_often_as_the_gate_lets(scene: Scene) -> None:
    scene.must_come()
    scene.admitted = False
    assert [scene.come(now=now) is not None for now in (1, 2, 3)] == [True] * 3
    assert scene.asked == ["a"]
    scene.admitted = True
    scene.must_come(now=6)  # in case the request was lost
    assert scene.asked == ["a", "a"]


def test_a_name_that_may_not_be_asked_for_is_not_waited_for(scene: Scene) -> None:
    scene.admitted = False
    assert scene.come() is None
    assert scene.asked == []
    assert scene.is_empty()


def test_a_denied_name_turns_down_who_waits_and_who_comes_soon(scene: Scene) -> None:
    first, other = scene.must_come("a"), scene.must_come("b")
    scene.held.deny("a", 1)
    assert first.told == ["turned down"]
    assert other.told == []
    assert not scene.held.may_hold("a", 5.9)
    scene.held.mention("a", 5.9)
    assert scene.asked == ["a", "b"]
    scene.must_come("a", 6)  # it is asked about anew
    assert scene.asked == ["a", "b", "a"]


def test_a_name_that_is_denied_while_it_is_asked_for_is_not_waited_for(scene: Scene) -> None:
    scene.held.on_miss = lambda name: scene.held.deny(name, 0)
    assert scene.come() is None
    assert scene.is_empty()


def test_a_denied_name_that_nobody_here_came_for_is_not_kept(scene: Scene) -> None:
    scene.held.deny("elsewhere", 0)
    assert not scene.held._names


def test_a_name_without_an_answer_is_asked_for_again(scene: Scene) -> None:
    scene.held.leave(scene.must_come(now=0))
    assert not scene.held.is_new(59) if scene.held.may_hold("a", 59) else False
    assert scene.held.may_hold("a", 60)
    assert scene.held.is_new(60)


@pytest.mark.parametrize("ending", ["arrived", "denied", "left", "closed", "not wanted"])
def test_no_ending_leaves_anything_behind(scene: Scene, ending: str) -> None:
    hands = [scene.come(client=7) for _ in range(2)]
    assert None not in hands
    if ending == "arrived":
        scene.arrive("a")
    elif ending == "denied":
        scene.held.deny("a", 1)
    elif ending == "closed":
        scene.held.close()
    elif ending == "not wanted":
        scene.held.arrived(lambda _: False, lambda _: False)
    for hand in hands:
        assert hand is not None
        scene.held.leave(hand)  # as every connection does at its end
        scene.held.leave(hand)
    assert scene.is_empty()
    told = {"arrived": ["go on"], "left": []}.get(ending, ["turned down"])
    assert [hand.told for hand in hands if hand is not None] == [told, told]


def test_places_are_bounded_and_are_free_again(scene: Scene) -> None:
    hands = [scene.must_come(f"n{number}") for number in range(PLACES)]
    assert scene.come("late") is None
    assert scene.asked[-1] == "late"  # it may be there the next time
    scene.held.leave(hands[0])
    assert scene.come("late", 1) is not None


def test_one_client_has_a_part_of_the_places(scene: Scene) -> None:
    assert [scene.come(client=1) is not None for _ in range(3)] == [True, True, False]
    assert scene.come(client=2) is not None
    assert [scene.come() is not None for _ in range(3)] == [True] * 3  # client 0 is not limited
    assert scene.come("b", client=3, places=4) is None  # fewer places than wait already
    assert Scene().come(client=1, places=1) is not None


def test_without_places_names_are_asked_for_and_nobody_waits(scene: Scene) -> None:
    assert scene.come(places=0) is None
    assert scene.asked == ["a"]
    assert scene.is_empty()


def test_names_that_are_known_are_bounded(scene: Scene) -> None:
    for number in range(1500):
        scene.held.mention(f"n{number}", 0)
    assert len(scene.held._names) == len(scene.asked) == 1000
    assert scene.come("new", 1) is None
    scene.held.leave(scene.must_come("n7", 1))  # which is known, and asked for once more
    assert scene.asked[-1] == "n7"
    assert scene.come("new", 61.5) is not None
    assert len(scene.held._names) == 1


def test_whoever_forgot_is_asked_again_for_what_somebody_waits_for(scene: Scene) -> None:
    scene.must_come("a")
    scene.held.leave(scene.must_come("b"))
    scene.held.ask_again()
    assert scene.asked == ["a", "b", "a"]


def test_nobody_is_held_any_more_after_the_end(scene: Scene) -> None:
    hand = scene.must_come()
    scene.held.close()
    assert hand.told == ["turned down"]
    assert not scene.held.may_hold("b", 1)


def test_what_becomes_of_handshakes_is_counted(scene: Scene) -> None:
    for name in "abc":
        scene.must_come(name)
    left = scene.must_come("a")
    assert (scene.held.waiting, scene.held.total, scene.held.refused) == (4, 4, 0)
    scene.held.leave(left)
    scene.arrive("a")
    assert (scene.held.waiting, scene.held.total, scene.held.refused) == (2, 4, 0)
    scene.held.deny("b", 1)  # one that waits
    scene.come("b", 2)  # and one at once
    assert (scene.held.waiting, scene.held.total, scene.held.refused) == (1, 4, 2)
    scene.come("d", 2, places=1)  # no place
    scene.held.arrived(lambda _: False, lambda _: False)  # not wanted any more
    scene.must_come("e")
    scene.held.close()
    assert (scene.held.waiting, scene.held.total, scene.held.refused) == (0, 5, 5)
