"""Regular expressions of paths: which have a path of lb that says the same, and which have none."""

from __future__ import annotations

import re

import pytest

from lb.http.path_pattern import parse_pattern
from lb.importing.regular_paths import RegularPath, regular_paths


def only(expression: str) -> RegularPath:
    """The only path of an expression."""
    found = regular_paths(expression)
    assert found is not None
    assert len(found) == 1
    return found[0]


SAME = [
    (r"^/api/", ["/api/"]),
    (r"^/api$", ["/api"]),
    (r"^/(assets|emoji)/", ["/assets/", "/emoji/"]),
    (r"^/(?:build|tests)(?:$|/)", ["/build/", "/tests/"]),
    (r"^/users/[^/]+/photo$", ["/users/{p1}/photo"]),
    (r"^/(404|422)\.html$", ["/404.html", "/422.html"]),
    (r"^/a(/.*)?$", ["/a/"]),
    (r"^(.*)$", ["/"]),
    (r"^/.*", ["/"]),
]


@pytest.mark.parametrize(("expression", "paths"), SAME)
def test_the_same(expression: str, paths: list[str]) -> None:
    found = regular_paths(expression)
    assert found is not None
    assert [one.path for one in found] == paths
    assert not any(one.broader or one.narrower for one in found)


@pytest.mark.parametrize(
    ("expression", "path"), [(r"^/api/[1-9]\d*/", "/api/{p1}/"), (r"^/a/?$", "/a/"), (r"^/x/\d+$", "/x/{p1}")]
)
def test_what_matches_more_says_so(expression: str, path: str) -> None:
    found = only(expression)
    assert (found.path, found.broader) == (path, True)


@pytest.mark.parametrize(("expression", "path"), [(r"^/api", "/api/"), (r"^/blog(.*)$", "/blog/")])
def test_what_matches_less_says_so(expression: str, path: str) -> None:
    found = only(expression)
    assert (found.path, found.narrower) == (path, True)


NONE = [
    r"\.php$",
    r"^/(?!index)",
    r"/\.",
    r"^/a{2}",
    r"^/v[0-9]+x/",
    r"^/a+",
    r"^/(a",
    r"^/a)b",
    r"^/[ab]/",
    r"^/.x",
    "^a",
]


@pytest.mark.parametrize("expression", [*NONE, r"^/" + "(a|b|c)" * 5])
def test_what_has_no_path(expression: str) -> None:
    assert regular_paths(expression) is None


CAPTURES = [
    (r"^/old/(.*)$", {"1": "{rest}"}),
    (r"^/(.*)$", {"1": "{rest}"}),
    (r"^(.*)$", {"1": "/{rest}"}),
    (r"^/([^/]+)/x/(.*)", {"1": "{p1}", "2": "{rest}"}),
    (r"^/(?P<name>[^/]+)/z$", {"1": "{p1}", "name": "{p1}"}),
]


@pytest.mark.parametrize(("expression", "captures"), CAPTURES)
def test_captures_are_placeholders(expression: str, captures: dict[str, str]) -> None:
    found = only(expression)
    assert found.captures == captures


@pytest.mark.parametrize("expression", [expression for expression, _ in SAME])
@pytest.mark.parametrize("path", ["/", "/api", "/api/", "/api/x", "/assets/x", "/build", "/users/7/photo", "/404.html"])
def test_a_path_that_is_the_same_agrees_with_the_expression(expression: str, path: str) -> None:
    patterns = [parse_pattern(one.path) for one in regular_paths(expression) or ()]
    taken = any(pattern.covers(parse_pattern(path)) for pattern in patterns)
    if path.endswith("/"):  # the pattern /x/ stands for all below it
        assert not taken or re.search(expression, path) is not None
    elif taken and not any(pattern.text == f"{path}/" for pattern in patterns):
        assert re.search(expression, path) is not None
