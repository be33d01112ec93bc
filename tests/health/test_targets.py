"""A configuration → whom to ask, what, and with which header fields."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from lb import __version__
from lb.config.load import load_bytes
from lb.config.plan import Plan
from lb.health.probe import ProbeTarget
from lb.health.state import Rules
from lb.health.targets import subjects
from lb.routing.health_rows import give_rows
from lb.routing.health_table import UNCHECKED, Condition, HealthTable

TEXT = """
listen: {http: ":8080"}
apps:
  shop:
    domains: [DOMAINS]
    production: {instances: [INSTANCES], KEYS}
    staging: {instances: [127.0.0.1:4000]}
"""


def asked(
    domains: str = "shop.example.com",
    instances: str = "127.0.0.1:3000",
    keys: str = "health_checks: on",
    more: str = "",
) -> list[ProbeTarget]:
    text = TEXT.replace("DOMAINS", domains).replace("INSTANCES", instances).replace("KEYS", keys) + more
    return subjects_of(load_bytes("lb.yaml", text.encode(), {}).plan)


def subjects_of(plan: Plan) -> list[ProbeTarget]:
    table = HealthTable(256)
    give_rows(table, plan.health.watched, 1.0)
    for one in plan.health.watched:
        if one.address.is_name:
            for number, key in enumerate(one.keys[:2]):
                table.write(table.find(key), Condition(UNCHECKED, f"10.0.0.{number}"))
    return list(subjects(plan.health, table))


def fields(subject: ProbeTarget) -> dict[str, str]:
    lines = subject.question.fields.decode().split("\r\n")
    return dict(line.split(": ", 1) for line in lines if line)


def test_defaults() -> None:  # spec: A1
    [subject] = asked()
    question = subject.question
    assert subject.title == "app shop production 127.0.0.1:3000"
    assert (question.family, question.address) == (socket.AF_INET, ("127.0.0.1", 3000))
    assert question.uris == ("/",)
    assert (question.statuses, question.timeout) == (("2xx", "3xx", "4xx"), 5.0)
    assert (question.host, subject.group) == ("shop.example.com", ("shop", "production"))
    assert subject.rules == Rules(interval=10.0, passes=1, fails=2, start_period=30.0)
    assert fields(subject) == {
        "Host": "shop.example.com",
        "User-Agent": f"lb-health/{__version__}",
        "Accept": "*/*",
        "X-Forwarded-Proto": "http",
        "Connection": "close",
    }


def test_settings() -> None:
    keys = "health_uri: /h, health_port: 99, health_timeout: 1s, health_status: [200, 4xx], health_interval: 1m"
    [subject] = asked(keys=keys + ", health_passes: 2, health_fails: 3, health_start_period: 2m")
    question = subject.question
    assert (question.address, question.uris, question.statuses) == (("127.0.0.1", 99), ("/h",), ("200", "4xx"))
    assert question.timeout == 1.0
    assert subject.rules == Rules(interval=60.0, passes=2, fails=3, start_period=120.0)


@pytest.mark.parametrize(
    ("keys", "uris", "statuses"),
    [
        ("health_checks: on", ("/",), ("2xx", "3xx", "4xx")),
        ("health_interval: 1s", ("/",), ("2xx", "3xx", "4xx")),
        ("health_uri: /up", ("/up",), ("2xx",)),
        ("health_status: 2xx", ("/", "/__engine/1/ping"), ("2xx",)),
        ("health_status: [2xx, 404]", ("/",), ("2xx", "404")),
        ("health_uri: /up, health_status: 2xx", ("/up",), ("2xx",)),
        ("health_uri: /, health_status: [3xx]", ("/",), ("3xx",)),
    ],
)
def test_what_is_asked_for_and_what_passes(keys: str, uris: tuple[str, ...], statuses: tuple[str, ...]) -> None:
    # spec: A1
    [subject] = asked(keys=keys)
    assert (subject.question.uris, subject.question.statuses) == (uris, statuses)


@pytest.mark.parametrize(
    ("keys", "checked"),
    [
        ("balance: round_robin", False),
        ("health_checks: on", True),
        ("health_checks: off", False),
        ("health_uri: /h", True),
        ("health_interval: 10s", True),
        ("health_uri: /h, health_checks: off", False),
    ],
)
def test_who_is_checked(keys: str, checked: bool) -> None:
    assert bool(asked(keys=keys)) == checked


@pytest.mark.parametrize(
    ("domains", "more", "host"),
    [
        ("shop.example.com, www.example.com", "", "shop.example.com"),
        ("stg-shop.example.com, shop.example.com", "", "shop.example.com"),
        ('"*.example.com"', "", "www.example.com"),
        ('"*.example.com", shop.example.com', "", "shop.example.com"),
        ("", "shared_domain: apps.example.net", "shop.apps.example.net"),
    ],
)
def test_the_host_is_one_of_the_apps(domains: str, more: str, host: str) -> None:
    assert fields(asked(domains, more=more)[0])["Host"] == host


def test_staging_is_asked_under_its_own_name() -> None:
    text = TEXT.replace("DOMAINS", "shop.example.com, stg-shop.example.com").replace("INSTANCES", "127.0.0.1:1")
    text = text.replace(", KEYS", "").replace("4000]", "4000], health_checks: on")
    [subject] = subjects_of(load_bytes("lb.yaml", text.encode(), {}).plan)
    assert fields(subject)["Host"] == "stg-shop.example.com"


@pytest.mark.parametrize(
    ("change", "scheme"),
    [
        ({}, "http"),
        ({"https": True}, "https"),
        ({"cdn": True}, "https"),
    ],
)
def test_apps_that_redirect_to_https_are_asked_as_if_over_it(change: dict[str, Any], scheme: str) -> None:
    domain = "{name: shop.example.com, cdn: true}" if change.get("cdn") else "shop.example.com"
    text = TEXT.replace("DOMAINS", domain).replace("INSTANCES", "127.0.0.1:1").replace("KEYS", "health_checks: on")
    if change.get("https"):
        text = text.replace('{http: ":8080"}', '{https: ":8443"}\ntls: {certificates: {cert: a, key: b}}')
    [subject] = subjects_of(load_bytes("lb.yaml", text.encode(), {}).plan)
    assert fields(subject)["X-Forwarded-Proto"] == scheme


def test_each_address_of_a_name_is_asked() -> None:
    found = asked(instances='"web:3000"')
    assert [subject.title for subject in found] == [
        "app shop production web:3000 (10.0.0.0)",
        "app shop production web:3000 (10.0.0.1)",
    ]
    assert [subject.question.address for subject in found] == [("10.0.0.0", 3000), ("10.0.0.1", 3000)]


def test_unix_sockets_and_ipv6() -> None:
    unix, six = asked("", instances='"unix:/run/shop.sock", "[::1]:3000"', more="shared_domain: apps.example.net")
    assert (unix.question.family, unix.question.address) == (socket.AF_UNIX, "/run/shop.sock")
    assert (six.question.family, six.question.address) == (socket.AF_INET6, ("::1", 3000))
