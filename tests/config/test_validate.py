"""Plain values become a configuration, or everything that is wrong with them at once."""

from __future__ import annotations

from typing import Any

from lb.config.problems import Origin, Source
from lb.config.validate import validate

GOOD: dict[str, Any] = {
    "listen": {"http": "127.0.0.1:0"},
    "apps": {"a": {"domains": ["a.example"], "production": {"instances": ["127.0.0.1:1"]}}},
}


def said(value: object) -> tuple[bool, list[str]]:
    config, problems = validate(value, Origin(Source.of("lb.yaml", "")))
    return config is not None, [problem.message for problem in problems if problem.level == "error"]


def test_what_is_right_is_a_configuration() -> None:
    assert said(GOOD) == (True, [])


# spec: E3
def test_mistakes_of_values_and_of_what_they_mean_together_are_told_at_once() -> None:
    app = GOOD["apps"]["a"]
    there, problems = said({**GOOD, "wrokers": 2, "apps": {"a": app, "b": app}})
    assert there  # what is left of it
    assert any("wrokers" in problem for problem in problems)
    assert any("a.example" in problem for problem in problems)


def test_what_was_refused_is_not_reported_a_second_time_as_missing() -> None:
    _, problems = said({**GOOD, "listen": {"http": "nonsense"}})
    assert len(problems) == 1


def test_what_is_no_configuration_at_all() -> None:
    values: tuple[object, ...] = (5, [], "text")
    for value in values:
        there, problems = said(value)
        assert not there
        assert len(problems) == 1
