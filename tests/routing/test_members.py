"""What the health table says, brought to a worker's instances by its registry and watch."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lb.config.model import EnvironmentSettings as Section
from lb.config.model import InstanceAddress
from lb.config.plan import EnvironmentPlan, configured_instances, health_keys
from lb.routing.environment import Environment
from lb.routing.health_rows import give_rows
from lb.routing.health_table import ABSENT, EXPECTED, HEALTHY, STARTING, UNCHECKED, UNHEALTHY, Condition, HealthTable
from lb.routing.registry import Registry

NOW = 100.0


def address(text: str) -> InstanceAddress:
    if text.startswith("unix:"):
        return InstanceAddress(host="", port=0, path=text[5:], text=text)
    host, _, port = text.rpartition(":")
    return InstanceAddress(host=host, port=int(port), path="", text=text)


def section(*texts: str, checks: bool = True) -> Section:
    return Section(instances=tuple(map(address, texts)), health_checks=checks)


def planned(section: Section) -> EnvironmentPlan:
    return EnvironmentPlan("shop", "production", section, configured_instances("shop", "production", section))


class World:
    """A table and the registry of one worker."""

    def __init__(self) -> None:
        self.table = HealthTable(256)
        self.registry = Registry(self.table)

    def configure(self, production: Section) -> Environment:
        wanted = planned(production)
        give_rows(self.table, [one for one in wanted.instances if one.keys], 1.0)
        plan = self.registry.plan()
        environment = plan.environment(wanted, 5)
        plan.commit()
        return environment

    def row(self, text: str, number: int = 0) -> int:
        return self.table.find(health_keys("shop", "production", address(text))[number])

    def write(self, text: str, state: int, host: str = "", number: int = 0) -> None:
        self.table.write(self.row(text, number), Condition(state, host))

    def look(self) -> list[str]:
        """What has gone, by key."""
        return [instance.key for change in self.registry.watch.look(NOW) for instance in change.gone]


def states(environment: Environment) -> dict[str, bool]:
    return {instance.key: instance.healthy for instance in environment.instances}


def conditions(world: World, texts: Sequence[str]) -> list[int]:
    found = [world.table.read(world.row(text)) for text in texts]
    return [condition.state for condition in found if condition is not None]


def test_an_instance_follows_its_row() -> None:  # spec: A1 F1
    world = World()
    shop = world.configure(section("127.0.0.1:1", "unix:/run/shop.sock"))
    first, second = shop.instances
    assert states(shop) == {"127.0.0.1:1": True, "unix:/run/shop.sock": True}
    world.write("127.0.0.1:1", UNHEALTHY)
    assert first.healthy
    assert world.look() == []
    assert states(shop) == {"127.0.0.1:1": False, "unix:/run/shop.sock": True}
    world.write("127.0.0.1:1", HEALTHY)
    world.write("unix:/run/shop.sock", STARTING)
    world.look()
    assert states(shop) == {"127.0.0.1:1": True, "unix:/run/shop.sock": False}
    assert shop.instances == [first, second]


def test_who_comes_back_is_not_passed_over_for_what_was() -> None:
    world = World()
    [instance] = world.configure(section("127.0.0.1:1")).instances
    world.write("127.0.0.1:1", UNHEALTHY)
    world.look()
    instance.passed_over(NOW, 1.0, 10.0)
    world.write("127.0.0.1:1", HEALTHY)
    world.look()
    assert instance.down_until == 0.0


def test_nothing_to_see_costs_nothing() -> None:
    world = World()
    world.configure(section("127.0.0.1:1"))
    world.write("127.0.0.1:1", HEALTHY)
    assert len(world.registry.watch.look(NOW)) == 1
    assert world.registry.watch.look(NOW) == []


def test_a_worker_that_is_born_later_sees_the_present() -> None:
    world = World()
    shop = world.configure(section("127.0.0.1:1"))
    for _ in range(700):
        world.write("127.0.0.1:1", HEALTHY)
        world.write("127.0.0.1:1", UNHEALTHY)
    world.look()
    assert states(shop) == {"127.0.0.1:1": False}


@pytest.mark.parametrize(("writes", "other"), [(1, True), (700, False)])  # by the list of changes, and without it
def test_a_row_in_the_middle_of_being_written_is_looked_at_again(writes: int, other: bool) -> None:
    world = World()
    shop = world.configure(section("127.0.0.1:1", "127.0.0.1:2"))
    for _ in range(writes):
        for text in ("127.0.0.1:1", "127.0.0.1:2"):
            world.write(text, HEALTHY)
            world.write(text, UNHEALTHY)
    place = world.row("127.0.0.1:1") * 384 + 100
    world.table._cells[place] ^= 1
    world.look()
    assert states(shop) == {"127.0.0.1:1": True, "127.0.0.1:2": other}
    world.table._cells[place] ^= 1
    world.look()
    assert states(shop) == {"127.0.0.1:1": False, "127.0.0.1:2": False}


def test_who_is_configured_while_his_row_is_being_written_is_there() -> None:
    world = World()
    texts = ("unix:/run/shop.sock", "127.0.0.1:1", "web:80")
    for text in texts:
        give_rows(world.table, planned(section(*texts)).instances, 1.0)
        world.table._cells[world.row(text) * 384 + 100] ^= 1
    shop = world.configure(section(*texts))
    assert states(shop) == {"unix:/run/shop.sock": True, "127.0.0.1:1": True}  # a name's address is in its row


def test_a_worker_that_is_born_when_one_is_ill_knows_it() -> None:  # spec: A1
    world = World()
    world.configure(section("127.0.0.1:1", "127.0.0.1:2"))
    world.write("127.0.0.1:1", UNHEALTHY)
    world.registry = Registry(world.table)
    assert states(world.configure(section("127.0.0.1:1", "127.0.0.1:2"))) == {"127.0.0.1:1": False, "127.0.0.1:2": True}


def test_a_name_stands_for_its_addresses() -> None:
    world = World()
    shop = world.configure(section("web:80", "127.0.0.1:1", checks=False))
    assert states(shop) == {"127.0.0.1:1": True}
    world.write("web:80", UNCHECKED, "10.0.0.1", 0)
    world.write("web:80", UNCHECKED, "2001:db8::1", 3)
    world.look()
    assert states(shop) == {"web:80 (10.0.0.1)": True, "web:80 (2001:db8::1)": True, "127.0.0.1:1": True}
    assert [instance.address for instance in shop.instances] == [
        ("10.0.0.1", 80),
        ("2001:db8::1", 80),
        ("127.0.0.1", 1),
    ]
    assert {instance.limit for instance in shop.instances} == {5}


def test_an_address_that_changes_is_another_instance() -> None:
    world = World()
    shop = world.configure(section("web:80"))
    world.write("web:80", HEALTHY, "10.0.0.1")
    world.look()
    [old] = shop.instances
    world.write("web:80", EXPECTED, "10.0.0.2")
    assert world.look() == ["web:80 (10.0.0.1)"]
    assert states(shop) == {"web:80 (10.0.0.2)": True}
    assert shop.instances[0] is not old
    world.write("web:80", ABSENT)
    assert world.look() == ["web:80 (10.0.0.2)"]
    assert shop.instances == []


def test_who_is_not_checked_is_healthy_whatever_the_table_says() -> None:
    world = World()
    shop = world.configure(section("web:80", "127.0.0.1:1"))
    world.write("web:80", HEALTHY, "10.0.0.1")
    world.look()
    world.write("web:80", UNHEALTHY, "10.0.0.1")
    world.write("127.0.0.1:1", UNHEALTHY)
    world.look()
    before = list(shop.instances)
    assert not any(states(shop).values())
    assert world.configure(section("web:80", "127.0.0.1:1", checks=False)) is shop
    assert all(states(shop).values())
    assert shop.instances == before


def test_what_a_new_configuration_shares_with_the_old_keeps_its_state() -> None:  # spec: R2
    world = World()
    shop = world.configure(section("127.0.0.1:1", "127.0.0.1:2"))
    world.write("127.0.0.1:1", UNHEALTHY)
    world.write("127.0.0.1:2", HEALTHY)
    world.look()
    kept = shop.instances[0]
    world.configure(section("127.0.0.1:3", "127.0.0.1:1"))
    assert states(shop) == {"127.0.0.1:3": True, "127.0.0.1:1": False}
    assert shop.instances[1] is kept


def test_changes_between_plan_and_commit_are_not_lost() -> None:
    world = World()
    world.configure(section("127.0.0.1:1"))
    wanted = section("127.0.0.1:1", "127.0.0.1:2")
    give_rows(world.table, planned(wanted).instances, 1.0)
    plan = world.registry.plan()
    shop = plan.environment(planned(wanted), 0)
    world.write("127.0.0.1:2", UNHEALTHY)
    world.look()  # it does not follow that row yet
    plan.commit()
    world.look()
    assert states(shop) == {"127.0.0.1:1": True, "127.0.0.1:2": False}


def test_who_is_trusted_before_the_first_check() -> None:
    # At the start every instance serves; one that joins others known to work has to pass a check first.
    world = World()
    world.configure(section("127.0.0.1:1", "127.0.0.1:2"))
    assert conditions(world, ["127.0.0.1:1", "127.0.0.1:2"]) == [EXPECTED, EXPECTED]
    world.configure(section("127.0.0.1:1", "127.0.0.1:3"))
    assert conditions(world, ["127.0.0.1:3"]) == [EXPECTED]
    world.write("127.0.0.1:1", HEALTHY)
    world.configure(section("127.0.0.1:1", "127.0.0.1:4"))
    assert conditions(world, ["127.0.0.1:1", "127.0.0.1:4"]) == [HEALTHY, STARTING]
