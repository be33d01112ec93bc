"""What of a worker's live state outlives a configuration, and that a plan alone changes none of it."""

from __future__ import annotations

from typing import Any

import pytest

from lb.config.model import EnvironmentSettings as Section
from lb.config.model import InstanceAddress
from lb.config.plan import EnvironmentPlan, configured_instances
from lb.routing.environment import Environment
from lb.routing.instance import Instance
from lb.routing.outlier import Unhealthy
from lb.routing.policy import Policy
from lb.routing.registry import Gone, Registry, RegistryPlan, make_policy
from lb.routing.request_key import HashKey
from lb.routing.sticky_cookie import StickyCookie, sticky_secret


def section(*ports: int, **settings: Any) -> Section:
    return Section(
        instances=tuple(
            InstanceAddress(host="127.0.0.1", port=port, path="", text=f"127.0.0.1:{port}") for port in ports
        ),
        **settings,
    )


def environment(app: str, name: str, section: Section) -> EnvironmentPlan:
    return EnvironmentPlan(app, name, section, configured_instances(app, name, section))


def planned(registry: Registry, *, limit: int = 0, **apps: tuple[int, ...]) -> tuple[RegistryPlan, list[Environment]]:
    plan = registry.plan()
    return plan, [
        plan.environment(environment(app, "production", section(*ports)), limit) for app, ports in apps.items()
    ]


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


STICKY = StickyCookie(b"lb_instance", sticky_secret("a" * 32), b"shop\0staging")


@pytest.mark.parametrize(
    ("settings", "policy"),
    [
        ({}, Policy()),
        (
            {"balance": "least_connections", "max_fails": 3, "fail_duration": 5.0, "slow_start": 10.0},
            Policy(balance="least_connections", max_fails=3, fail_duration=5.0, slow_start=10.0),
        ),
        ({"balance": "power_of_two", "retry_budget": None}, Policy(balance="power_of_two", retries=None)),
        ({"unhealthy_latency": 0.5}, Policy(unhealthy=Unhealthy(0.5, frozenset()))),
        (
            {"unhealthy_latency": 0.5, "unhealthy_status": (429, 503)},
            Policy(unhealthy=Unhealthy(0.5, frozenset({429, 503}))),
        ),
        ({"unhealthy_status": (429, "5xx")}, Policy(unhealthy=Unhealthy(0.0, frozenset({429, *range(500, 600)})))),
        (
            {"balance": "consistent_hash", "hash_on": "header:x-user"},
            Policy(balance="consistent_hash", hash_on=HashKey("header", b"x-user")),
        ),
        (
            {"balance": "consistent_hash", "hash_on": "uri"},
            Policy(balance="consistent_hash", hash_on=HashKey("uri")),
        ),
        ({"balance": "sticky", "sticky_secret": "a" * 32}, Policy(balance="sticky", cookie=STICKY)),
    ],
)
def test_what_a_section_says_is_the_policy(settings: dict[str, Any], policy: Policy) -> None:
    # spec: F1
    assert make_policy("shop", "staging", section(1, **settings)) == policy


def test_an_environment_knows_its_names() -> None:
    plan = Registry().plan()
    shop = plan.environment(environment("shop", "staging", section(1, balance="sticky", sticky_secret="a" * 32)), 0)
    assert (shop.app, shop.name, shop.cookie) == (b"shop", b"staging", STICKY)
