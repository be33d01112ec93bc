"""What the health table says, as plain data."""

from __future__ import annotations

import json

from lb.routing.health_keys import give_rows, watched

from lb.config.load import load_bytes
from lb.config.model import Config
from lb.health.view import report, serving
from lb.routing.health_table import ABSENT, HEALTHY, UNHEALTHY, Condition, HealthTable


def config(*, checks: bool = True) -> Config:
    production = {"instances": ["127.0.0.1:1", "db.internal:2"], "health_checks": checks}
    apps = {"shop": {"domains": ["a.example"], "production": production}}
    return load_bytes("test", json.dumps({"listen": {"http": "127.0.0.1:0"}, "apps": apps}).encode(), {}).config


def table_of(settings: Config) -> HealthTable:
    table = HealthTable(64)
    give_rows(table, settings, 1000.0)
    return table


# spec: A1
def test_an_instance_is_told_as_the_table_has_it() -> None:
    settings = config()
    table = table_of(settings)
    one, named = watched(settings)
    condition = Condition(UNHEALTHY, "", 1500.4, 1600.0, "500", 1550.0, "GET / answered 500", True)
    table.write(table.find(one.keys[0]), condition)
    table.write(table.find(named.keys[0]), Condition(HEALTHY, "10.0.0.7", 1200.0, 1600.0, "200"))
    found = report(settings, table)["shop", "production"]
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
    settings = config()
    found = report(settings, table_of(settings))["shop", "production"]
    assert [row["state"] for row in found["db.internal:2"]] == ["absent"]


# spec: A1
def test_who_gets_requests_of_those_that_are_checked() -> None:
    settings = config()
    table = table_of(settings)
    one, named = watched(settings)
    table.write(table.find(one.keys[0]), Condition(UNHEALTHY))
    table.write(table.find(named.keys[0]), Condition(HEALTHY, "10.0.0.7"))
    table.write(table.find(named.keys[1]), Condition(ABSENT))
    assert [(text, serves) for _, _, text, serves in serving(settings, table)] == [
        ("127.0.0.1:1", False),
        ("db.internal:2 (10.0.0.7)", True),
    ]


def test_what_is_only_resolved_is_not_called_healthy() -> None:
    settings = config(checks=False)
    table = table_of(settings)
    (named,) = watched(settings)  # the other one is neither checked nor a name
    table.write(table.find(named.keys[0]), Condition(HEALTHY, "10.0.0.7"))
    assert report(settings, table)["shop", "production"]["db.internal:2"][0]["state"] == "unchecked"
    assert list(serving(settings, table)) == []
