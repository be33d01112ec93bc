"""Which patterns match a path: a table, and the tree against the plain comparison of one pattern at a time."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lb.http.path_pattern import parse_pattern
from lb.routing.path_tree import PathTree


@pytest.mark.parametrize(
    ("pattern", "matches", "misses"),
    [
        ("/", ["/", "/a", "/a/b", "//"], []),
        ("/static/", ["/static", "/static/", "/static/a/b", "/static//"], ["/staticx", "/", "/Static/", "//static/"]),
        ("/ws", ["/ws"], ["/ws/", "/ws/a", "/w", "/"]),
        ("/users/{id}", ["/users/7", "/users/a%2Fb"], ["/users/", "/users", "/users/7/", "/users/7/x"]),
        ("/users/{id}/", ["/users/7", "/users/7/", "/users/7/x/y"], ["/users/", "/users", "/users//x"]),
        ("/blog/{rest}", ["/blog/", "/blog/a", "/blog/a/b"], ["/blog", "/blogs/"]),
        ("/{rest}", ["/", "/a", "/a/b"], []),
        ("/{a}/{b}", ["/x/y"], ["/x", "/x/", "/x/y/", "//y"]),
    ],
)
def test_a_pattern_matches(pattern: str, matches: list[str], misses: list[str]) -> None:
    tree = PathTree([parse_pattern(pattern)])
    assert [path for path in matches if not tree.find(path.encode())] == []
    assert [path for path in misses if tree.find(path.encode())] == []


def test_matches_come_in_the_order_of_the_patterns() -> None:
    tree = PathTree([parse_pattern(text) for text in ("/a/{x}", "/", "/a/b", "/a/", "/c", "/a/{rest}")])
    assert tree.find(b"/a/b") == [0, 1, 2, 3, 5]


def _expression(pattern: str) -> re.Pattern[str]:
    """The same pattern as a regular expression."""
    text = re.sub(r"\\\{[a-qs-z]\\\}", "[^/]+", re.escape(pattern))
    if text.endswith(re.escape("{rest}")):
        return re.compile(text.removesuffix(re.escape("{rest}")) + ".*")
    return re.compile(text.removesuffix("/") + "(/.*)?" if text.endswith("/") else text)


_words = st.sampled_from(["a", "b", ""])
_paths = st.lists(_words, max_size=4).map(lambda words: "/" + "/".join(words))
_patterns = st.builds(
    lambda words, end: "/" + "/".join([*words, end]),
    st.lists(st.sampled_from(["a", "b", "{x}"]), max_size=3, unique=True),
    st.sampled_from(["", "a", "{y}", "{rest}"]),
)


@given(st.lists(_patterns, max_size=6), _paths)
def test_the_tree_finds_what_comparing_one_by_one_finds(patterns: list[str], path: str) -> None:
    tree = PathTree([parse_pattern(text) for text in patterns])
    assert tree.find(path.encode()) == [n for n, text in enumerate(patterns) if _expression(text).fullmatch(path)]
