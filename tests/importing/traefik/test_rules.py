"""Rules of routers: what each is in lb, and which have no counterpart."""

from __future__ import annotations

import pytest

from lb.importing.draft import DraftCondition
from lb.importing.traefik.rules import RouterMatch, UnknownRuleError, rule_matches

RULES = [
    ("Host(`a.example.com`)", [RouterMatch(("a.example.com",))]),
    ("Host(`a`, `b`)", [RouterMatch(("a", "b"))]),
    ("Host(`a`) || Host(`b`)", [RouterMatch(("a",)), RouterMatch(("b",))]),
    ("Host(`a`) && PathPrefix(`/api/`)", [RouterMatch(("a",), DraftCondition("/api/"))]),
    (
        "Host(`a`) && (Path(`/x`) || Path(`/y`))",
        [RouterMatch(("a",), DraftCondition("/x")), RouterMatch(("a",), DraftCondition("/y"))],
    ),
    ("(Host(`a`) || Host(`b`)) && Method(`get`)", [RouterMatch((h,), DraftCondition(methods=("GET",))) for h in "ab"]),
    ('Host("a") && Headers("X-V", "2")', [RouterMatch(("a",), DraftCondition(headers=(("X-V", "2"),)))]),
    ("Host(`a`) && Query(`v`, `2`)", [RouterMatch(("a",), DraftCondition(queries=(("v", "2"),)))]),
    ("Host(`a`) && Query(`v=2`)", [RouterMatch(("a",), DraftCondition(queries=(("v", "2"),)))]),
    ("Host(`a`) && ClientIP(`10.0.0.0/8`)", [RouterMatch(("a",), networks=("10.0.0.0/8",))]),
    ("HostRegexp(`{sub:[a-z]+}.example.com`)", [RouterMatch(("*.example.com",))]),
    ("HostRegexp(`^.+\\.example\\.com$`)", [RouterMatch(("*.example.com",))]),
    ("PathRegexp(`^/v/[^/]+$`)", [RouterMatch(condition=DraftCondition("/v/{p1}"))]),
    ("Host(`a`) && PathPrefix(`/x/`) && PathPrefix(`/x/y/`)", [RouterMatch(("a",), DraftCondition("/x/y/"))]),
    ("Host(`a`) && Host(`b`)", []),
]


@pytest.mark.parametrize(("rule", "matches"), RULES)
def test_rules(rule: str, matches: list[RouterMatch]) -> None:
    assert rule_matches(rule) == matches


def test_a_prefix_without_a_slash_says_that_it_differs() -> None:
    (found,) = rule_matches("PathPrefix(`/api`)")
    assert found.condition.path == "/api/"
    assert "also other paths that begin so" in found.differs


UNKNOWN = [
    *("!Host(`a`)", "Host(`a`) && !Path(`/x`)", "HostRegexp(`^(a|b)\\.example\\.com$`)", "Path(`/x/`)", "Unknown(`a`)"),
    *("Host(`a`", "Host(`a`))", "Host(`a`) &&", "%", "PathRegexp(`\\.php$`)", "ClientIP(`x`)", "PathPrefix(`x`)", ""),
    "||".join(["Host(`a`)"] * 80),
]


@pytest.mark.parametrize("rule", UNKNOWN)
def test_rules_without_a_counterpart(rule: str) -> None:
    with pytest.raises(UnknownRuleError):
        rule_matches(rule)
