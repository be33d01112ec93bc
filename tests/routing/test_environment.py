"""What is known of a failing instance beyond being passed over, and which serve when none passes the checks."""

from __future__ import annotations

from lb.routing.environment import Environment
from lb.routing.instance import Instance
from lb.routing.policy import Policy
from tests.routing.instances import NOW, make


def environment(count: int, **policy: float) -> tuple[Environment, list[Instance]]:
    instances = make(count)
    return Environment("shop", "production", instances, Policy(**policy)), instances  # type: ignore[arg-type]


def test_the_last_failure_stays_known() -> None:
    # spec: E3
    where, (one, _) = environment(2)
    assert (one.failing, one.cause, one.failed_at) == (False, "", 0.0)
    where.failed(one, NOW, "connection_refused")
    assert (one.failing, one.cause, one.failed_at) == (True, "connection_refused", NOW)
    one.worked(NOW + 5)
    assert (one.failing, one.cause, one.failed_at) == (False, "connection_refused", NOW)


def test_it_fails_until_it_has_worked_even_when_its_pause_is_over() -> None:
    # spec: E3
    where, (one, _) = environment(2)
    where.failed(one, NOW, "connection_refused")
    assert one.is_up(NOW + 60)
    assert one.failing


def test_the_only_one_fails_too() -> None:
    # spec: E3
    where, (one,) = environment(1)
    where.failed(one, NOW, "connection_refused")
    assert (one.down_until, one.failing) == (0.0, True)
    assert where.pick(None, None, NOW) is one
    one.worked(NOW)
    assert not one.failing


def test_one_failure_of_several_that_are_allowed_is_none() -> None:
    # spec: E3
    where, (one, _) = environment(2, max_fails=3)
    changes: list[bool] = []
    where.observe(lambda _, instance: changes.append(instance.failing))
    where.failed(one, NOW, "connection_refused")
    assert (one.failing, one.cause) == (False, "connection_refused")
    for _ in range(4):
        where.failed(one, NOW, "connection_refused")
    assert one.failing
    one.worked(NOW)
    one.worked(NOW)
    assert changes == [True, False]


def test_new_instances_are_observed_too() -> None:
    # spec: E3
    where, (one, two, three) = environment(3)
    where.change([one, two], NOW)
    changes: list[str] = []
    where.observe(lambda _, instance: changes.append(instance.key))
    where.change([one, two, three], NOW)
    where.failed(three, NOW, "connection_refused")
    assert changes == [three.key]


def test_when_nobody_passes_those_that_answer_serve() -> None:
    # spec: A1
    where, (one, two, three) = environment(3)
    for instance, passes, answers in ((one, False, True), (two, False, False), (three, True, False)):
        instance.passes, instance.answers = passes, answers
    where.change([one, two, three], NOW)
    assert [instance.healthy for instance in (one, two, three)] == [False, False, True]
    three.passes = False
    where.change([one, two, three], NOW)
    assert [instance.healthy for instance in (one, two, three)] == [True, False, False]
    two.passes = True
    where.change([one, two, three], NOW)
    assert [instance.healthy for instance in (one, two, three)] == [False, True, False]


def test_no_instance_and_no_address_are_two_causes() -> None:
    # spec: E3
    where, instances = environment(2)
    assert where.shortage() == "destination_unavailable"
    where.change([], NOW)
    assert where.shortage() == "dns_error"
    where.change(instances, NOW)
    assert where.shortage() == "destination_unavailable"
