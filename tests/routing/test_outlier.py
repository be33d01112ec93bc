"""Failures, pauses, coming back: by a clock that the test turns (F1)."""

from __future__ import annotations

import pytest

from lb.routing.environment import Environment
from lb.routing.instance import Instance
from lb.routing.outlier import Unhealthy
from lb.routing.policy import Policy
from tests.routing.instances import NOW, make


def environment(count: int, policy: Policy | None = None, limit: int = 0) -> tuple[Environment, list[Instance]]:
    instances = make(count, limit)
    return Environment("shop", "production", instances, policy or Policy()), instances


def picked(where: Environment, now: float, times: int = 12) -> set[Instance]:
    found = set()
    for _ in range(times):
        instance = where.pick(None, None, now)
        assert instance is not None
        found.add(instance)
    return found


def test_a_failure_takes_an_instance_out_and_time_and_one_good_answer_bring_it_back() -> None:
    # spec: F1
    where, (bad, *others) = environment(3)
    where.failed(bad, NOW)
    assert picked(where, NOW) == picked(where, NOW + 0.99) == set(others)
    tries = [where.pick(None, None, NOW + 1.0) for _ in range(12)]
    assert tries.count(bad) == 1  # one request shows whether it works, not all that come meanwhile
    assert picked(where, NOW + 1.5) == set(others)
    bad.worked(NOW + 1.5)
    assert bad in picked(where, NOW + 1.5)
    assert (bad.failures, bad.pauses) == (0, 0)


def test_the_pause_doubles_each_time_and_has_an_end() -> None:
    # spec: F1
    where, (bad, *_) = environment(2)
    now, pauses = NOW, []
    for _ in range(7):
        where.failed(bad, now)
        pauses.append(bad.down_until - now)
        now = bad.down_until
        assert bad in picked(where, now)
    assert pauses == [1, 2, 4, 8, 10, 10, 10]


def test_a_trial_that_never_ends_is_followed_by_another() -> None:
    # spec: F1: the request that was to show it may hang, or be cancelled by its client
    where, (bad, *_) = environment(2)
    where.failed(bad, NOW)
    assert bad in picked(where, NOW + 1)
    assert bad not in picked(where, NOW + 1.9)
    assert bad in picked(where, NOW + 2)


def test_requests_that_fail_together_are_one_failure_more_than_a_pause() -> None:
    # spec: F1
    where, (bad, *_) = environment(2)
    for _ in range(100):
        where.failed(bad, NOW)
    assert bad.down_until == NOW + 1


def test_only_failures_in_a_row_count() -> None:
    # spec: F1
    where, (bad, good) = environment(2, Policy(max_fails=3, fail_duration=5.0))
    for _ in range(3):
        where.failed(bad, NOW)
        where.failed(bad, NOW)
        assert picked(where, NOW) == {bad, good}
        where.answered(bad, 200, 0.1, NOW)
    for _ in range(3):
        where.failed(bad, NOW)
    assert picked(where, NOW + 4.9) == {good}
    where.pick(None, None, NOW + 5)
    where.failed(bad, NOW + 5)  # on trial once is enough
    assert bad.down_until == NOW + 15


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_last_one_that_is_left_is_never_passed_over(count: int) -> None:
    # spec: F1
    where, instances = environment(count)
    for instance in instances:
        where.failed(instance, NOW)
    assert picked(where, NOW) == {instances[-1]}
    where.failed(instances[-1], NOW)
    assert picked(where, NOW) == {instances[-1]}


def test_what_active_checks_took_out_counts_as_out() -> None:
    # spec: F1
    where, (one, other) = environment(2)
    one.healthy = False
    where.failed(other, NOW)
    assert picked(where, NOW) == {other}


def test_when_the_rest_was_tried_the_nearest_to_its_return_is_asked() -> None:
    # spec: F1, F2
    where, (one, two, three) = environment(3)
    where.failed(two, NOW)
    where.failed(one, NOW + 0.5)
    assert where.pick([three], None, NOW + 0.6) is two
    assert where.pick([three, two], None, NOW + 0.6) is one
    assert where.pick([three, two, one], None, NOW + 0.6) is None
    one.healthy = False
    assert where.pick([three, two], None, NOW + 0.6) is None


def test_a_full_one_is_better_than_a_failed_one() -> None:
    # spec: L5
    where, (one, two) = environment(2, limit=1)
    where.failed(one, NOW)
    two.inflight = 1
    assert where.pick(None, None, NOW) is None
    assert where.is_full(None)
    assert where.pick([two], None, NOW) is one


def test_what_is_left_to_try() -> None:
    # spec: F2, L5: only a full one is worth waiting for, and only one that was not tried
    where, (one, two) = environment(2, limit=1)
    two.inflight = 1
    tried: list[list[Instance] | None] = [None, [one], [two], [one, two]]
    assert [where.is_full(those) for those in tried] == [True, True, False, False]
    assert [where.has_untried(those) for those in tried] == [True, True, True, False]
    two.healthy = False
    assert [where.is_full(those) for those in tried] == [False] * 4
    assert [where.has_untried(those) for those in tried] == [True, False, True, False]


def test_who_is_stuck_to_a_full_one_waits_for_it() -> None:
    # spec: F1, L5
    where, (one, two) = environment(2, Policy(balance="sticky"), limit=2)
    two.token = b"mine"
    two.inflight = 1
    assert where.pick(None, b"mine", NOW) is two
    two.inflight = 2
    assert where.pick(None, b"mine", NOW) is None
    assert where.pick(None, None, NOW) is one


def test_on_trial_and_with_nobody_else_left_it_serves_on() -> None:
    # spec: F1
    where, (one, other) = environment(2)
    where.failed(one, NOW)
    other.healthy = False
    assert where.pick(None, None, NOW) is one
    where.failed(one, NOW)
    assert (one.down_until, one.trying) == (0.0, False)


BAD_ANSWERS = Policy(unhealthy=Unhealthy(0.5, frozenset({429, 503})))


@pytest.mark.parametrize(
    ("status", "seconds", "fails"),
    [(200, 0.1, False), (200, 0.5, False), (200, 0.51, True), (503, 0.0, True), (429, 0.0, True), (500, 0.0, False)],
)
def test_which_answers_are_failures(status: int, seconds: float, fails: bool) -> None:
    # spec: F1
    where, (one, _) = environment(2, BAD_ANSWERS)
    where.answered(one, status, seconds, NOW)
    assert (one.down_until > NOW) is fails
    plain, (other, _) = environment(2)
    plain.answered(other, status, seconds, NOW)
    assert other.down_until == 0
    patient, (third, _) = environment(2, Policy(unhealthy=Unhealthy(0.0, frozenset({429, 503}))))
    patient.answered(third, status, seconds, NOW)
    assert (third.down_until > NOW) is (status != 200 and fails)


@pytest.mark.parametrize(("count", "out"), [(1, 0), (2, 1), (3, 1), (4, 2), (9, 4)])
def test_bad_answers_take_out_half_at_most(count: int, out: int) -> None:
    # spec: F1: all are slow together when what they share is slow
    where, instances = environment(count, BAD_ANSWERS)
    for _ in range(3):
        for instance in instances:
            where.answered(instance, 503, 0.0, NOW)
    assert len([instance for instance in instances if instance.down_until > NOW]) == out


def test_slow_start_begins_when_an_instance_is_back() -> None:
    # spec: F1
    where, (bad, good) = environment(2, Policy(slow_start=10.0))
    assert not bad.ramping  # at the start all are new: none has to be spared
    where.failed(bad, NOW)
    where.pick(None, None, NOW + 1)
    bad.worked(NOW + 3)
    assert bad.ramping
    assert bad.share(NOW + 3) == pytest.approx(0.1)
    assert bad.share(NOW + 8) == pytest.approx(0.5)
    assert bad.share(NOW + 13) == 1
    assert not bad.ramping
    good.worked(NOW)
    assert not good.ramping


def test_a_new_policy_keeps_instances_and_what_is_known_of_them() -> None:
    # spec: R2, F1
    where, (one, two, *_) = environment(2, Policy(slow_start=10.0))
    new = make(3)[2]
    where.failed(one, NOW)
    two.inflight = 3
    balancer, budget = where.balancer, where.budget
    where.follow(Policy(slow_start=10.0, max_fails=2, retries=0.5), [one, two, new], NOW)
    assert where.balancer is balancer
    assert where.budget is budget
    assert budget is not None
    assert budget.share == 0.5
    assert (one.down_until, two.inflight) == (NOW + 1, 3)
    assert new.ramping
    assert not two.ramping
    where.follow(Policy(balance="least_connections", retries=None), [one, two, new], NOW)
    assert where.balancer is not balancer
    assert where.budget is None
    assert not new.ramping
