"""What a rule sees: the whole configuration, and what of the file it comes without."""

from __future__ import annotations

import json

import pytest

from lb.config.load import load_bytes
from lb.config.problems import Origin, Source
from lb.config.rule_context import RuleContext


@pytest.fixture
def scene() -> RuleContext:
    value = {
        "listen": {"http": ["127.0.0.1:1", "127.0.0.1:2"]},
        "admin": "127.0.0.1:3",
        "apps": {
            "a": {
                "domains": ["a.example", "stg-a.example"],
                "production": {"instances": ["127.0.0.1:4"]},
                "staging": {"instances": ["127.0.0.1:5"]},
            },
            "b": {"domains": ["b.example"], "production": {"instances": ["127.0.0.1:6"]}},
        },
    }
    loaded = load_bytes("lb.yaml", json.dumps(value).encode(), {})
    refused: dict[tuple[str | int, ...], set[str | int]] = {("listen",): {"htps"}, ("apps", "b"): {"stagin"}}
    return RuleContext(loaded.config, Origin(Source.of("lb.yaml", "")), refused)


def test_all_of_a_kind_with_their_paths(scene: RuleContext) -> None:
    assert [path for path, _ in scene.domains()] == [
        ("apps", "a", "domains", 0),
        ("apps", "a", "domains", 1),
        ("apps", "b", "domains", 0),
    ]
    assert [path[1:] for path, _ in scene.environments()] == [
        ("a", "production"),
        ("a", "staging"),
        ("b", "production"),
    ]
    assert [path for path, _ in scene.listeners()] == [("listen", "http", 0), ("listen", "http", 1), ("admin",)]


@pytest.mark.parametrize(
    ("path", "certain"),
    [
        (("listen", "https"), False),  # what was refused may be a misspelling of it
        (("listen",), False),
        (("listen", "other"), True),
        (("apps", "b", "staging"), False),
        (("apps", "a", "staging"), True),
        (("timeouts",), True),
    ],
)
def test_one_mistake_is_not_reported_twice(scene: RuleContext, path: tuple[str, ...], certain: bool) -> None:
    assert scene.is_certain(*path) is certain
