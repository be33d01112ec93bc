"""What the health table says, as plain data."""

from __future__ import annotations

import json

from lb.config.load import load_bytes
from lb.config.plan import ConfiguredInstance
from lb.health.view import report, serving
from lb.routing.health_rows import give_rows
from lb.routing.health_table import ABSENT, HEALTHY, UNHEALTHY, Condition, HealthTable

Watched = tuple[ConfiguredInstance, ...]


def watched(*, checks: bool = True) -> Watched:
    production = {"instances": ["127.0.0.1:1", "db.internal:2"], "health_checks": checks}
    apps = {"shop": {"domains": ["a.example"], "production": production}}
    value = {"listen": {"http": "127.0.0.1:0"}, "apps": apps}
    return load_bytes("test", json.dumps(value).encode(), {}).plan.health.watched


def table_of(instances: Watched) -> HealthTable:
    table = HealthTable(64)
    give_rows(table, instances, 1000.0)
    return table


# spec: A1
def test_an_instance_is_told_as_the_table_has_it() -> None:
    instances = watched()
    table = table_of(instances)
    one, named = instances
    condition = Condition(UNHEALTHY, "", 1500.4, 1600.0, "500", 1550.0, "GET / answered 500", True)
    table.write(table.find(one.keys[0]), condition)
    table.write(table.find(named.keys[0]), Condition(HEALTHY, "10.0.0.7", 1200.0, 1600.0, "200"))
    found = report(instances, table)["shop", "production"]
    assert found["127.0.0.1:1"] == [
        {
            "address": None,
            "state": "unhealthy",
            "since": 1500,
            "checked": 1600,
            "last": "500",
            "failed": 1550,
            "error": "GET / answered 500",
            "answers": True,
        }
    ]
    assert [(row["address"], row["state"]) for row in found["db.internal:2"]] == [("10.0.0.7", "healthy")]


def test_a_name_without_an_address_is_told_as_absent() -> None:
    instances = watched()
    found = report(instances, table_of(instances))["shop", "production"]
    assert [row["state"] for row in found["db.internal:2"]] == ["absent"]


# spec: A1
def test_who_gets_requests_of_those_that_are_checked() -> None:
    instances = watched()
    table = table_of(instances)
    one, named = instances
    table.write(table.find(one.keys[0]), Condition(UNHEALTHY))
    table.write(table.find(named.keys[0]), Condition(HEALTHY, "10.0.0.7"))
    table.write(table.find(named.keys[1]), Condition(ABSENT))
    assert [(text, serves) for _, _, text, serves in serving(instances, table)] == [
        ("127.0.0.1:1", False),
        ("db.internal:2 (10.0.0.7)", True),
    ]


def test_what_is_only_resolved_is_not_called_healthy() -> None:
    instances = watched(checks=False)
    table = table_of(instances)
    (named,) = instances  # the other one is neither checked nor a name
    table.write(table.find(named.keys[0]), Condition(HEALTHY, "10.0.0.7"))
    assert report(instances, table)["shop", "production"]["db.internal:2"][0]["state"] == "unchecked"
    assert list(serving(instances, table)) == []
