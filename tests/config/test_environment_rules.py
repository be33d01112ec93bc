"""What the settings of one environment mean together."""

from __future__ import annotations

from typing import Any

import pytest

from tests.config.test_rules import app, said


def environment(*instances: str, **settings: Any) -> dict[str, Any]:
    return app(production={"instances": list(instances or ("127.0.0.1:1",)), **settings})


# spec: E3
@pytest.mark.parametrize(
    ("apps", "words"),
    [
        (environment("127.0.0.1:1", "127.0.0.1:1"), "appears twice"),
        (environment("127.0.0.1:8080"), "requests would loop"),
        (environment("localhost:8080"), "requests would loop"),
        (environment("unix:/run/a.sock", health_port=9000, health_checks=True), "is a Unix socket"),
    ],
)
def test_what_cannot_work(apps: dict[str, Any], words: str) -> None:
    errors, _ = said(apps=apps)
    assert len(errors) == 1
    assert words in errors[0]


# spec: E3
@pytest.mark.parametrize(
    ("apps", "words"),
    [
        (environment(hash_on="uri"), "hash_on is not used: balance is round_robin"),
        (environment(sticky_cookie="who"), "sticky_cookie is not used"),
        (environment("unix:run/a.sock"), "is relative"),
        (environment(health_checks=False, health_uri="/up"), "health_checks is off, so health_uri is not used"),
        (environment(health_checks=True, health_interval="2s", health_timeout="5s"), "is longer than health_interval"),
    ],
)
def test_what_is_legal_but_surprising(apps: dict[str, Any], words: str) -> None:
    errors, warnings = said(apps=apps)
    assert errors == []
    assert len(warnings) == 1
    assert words in warnings[0]


@pytest.mark.parametrize(
    "apps",
    [
        environment(balance="consistent_hash", hash_on="uri"),
        environment("127.0.0.1:1", "127.0.0.1:2"),
        environment("192.0.2.1:8080"),
        environment(health_checks=True, health_uri="/up"),
    ],
)
def test_what_is_right(apps: dict[str, Any]) -> None:
    assert said(apps=apps) == ([], [])
