"""What of a worker's live state outlives a configuration, and that a plan alone changes none of it."""

from __future__ import annotations

from lb.config.model import Environment as Section
from lb.config.model import InstanceAddress
from lb.routing.environment import Environment
from lb.routing.instance import Instance
from lb.routing.registry import Gone, Plan, Registry


def section(*ports: int) -> Section:
    return Section(
        instances=tuple(
            InstanceAddress(host="127.0.0.1", port=port, path="", text=f"127.0.0.1:{port}") for port in ports
        )
    )


def planned(registry: Registry, *, limit: int = 0, **apps: tuple[int, ...]) -> tuple[Plan, list[Environment]]:
    plan = registry.plan()
    return plan, [plan.environment(app, "production", section(*ports), limit) for app, ports in apps.items()]


def committed(registry: Registry, *, limit: int = 0, **apps: tuple[int, ...]) -> tuple[Gone, list[Environment]]:
    plan, environments = planned(registry, limit=limit, **apps)
    return plan.commit(), environments


def keys(instances: list[Instance]) -> list[str]:
    return [instance.key.rpartition(":")[2] for instance in instances]


def test_instances_that_stay_keep_their_state() -> None:  # spec: R2
    registry = Registry()
    _, [shop] = committed(registry, shop=(1, 2))
    first, second = shop.instances
    first.inflight = 3
    shop.failed(second, 10.0)
    balancer = shop.balancer
    gone, [again] = committed(registry, shop=(2, 3, 1), limit=5)
    assert again is shop
    assert again.balancer is balancer
    assert keys(again.instances) == ["2", "3", "1"]
    assert again.instances[2] is first
    assert again.instances[0] is second
    assert (first.inflight, second.failures) == (3, 1)
    assert [instance.limit for instance in again.instances] == [5, 5, 5]
    assert (gone.instances, gone.environments) == ([], [])


def test_a_plan_that_is_forgotten_has_changed_nothing() -> None:  # spec: R2
    registry = Registry()
    _, [shop] = committed(registry, shop=(1, 2))
    before = list(shop.instances)
    _, [again, _] = planned(registry, shop=(2, 3), blog=(4,), limit=5)
    assert again is shop
    assert shop.instances == before
    assert [instance.limit for instance in before] == [0, 0]
    assert list(registry.environments) == [("shop", "production")]


def test_what_is_left_out_is_named() -> None:
    registry = Registry()
    _, [shop, blog] = committed(registry, shop=(1, 2), blog=(3,))
    left = [shop.instances[0], *blog.instances]
    gone, _ = committed(registry, shop=(2,))
    assert gone.instances == left
    assert gone.environments == [blog]
    assert blog.instances == []
    assert list(registry.environments) == [("shop", "production")]


def test_an_environment_that_comes_back_is_a_new_one() -> None:
    registry = Registry()
    _, [shop] = committed(registry, shop=(1,))
    committed(registry)
    _, [again] = committed(registry, shop=(1,))
    assert again is not shop
    assert keys(again.instances) == ["1"]


def test_the_same_address_in_two_environments_is_two_instances() -> None:
    registry = Registry()
    _, [shop, blog] = committed(registry, shop=(1,), blog=(1,))
    assert shop.instances[0] is not blog.instances[0]
