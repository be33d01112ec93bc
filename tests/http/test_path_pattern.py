"""What patterns are, and what a path may be read as."""

from __future__ import annotations

import pytest

from lb.http.path_pattern import PatternEnding, PatternError, parse_pattern, readings


@pytest.mark.parametrize(
    ("text", "segments", "names", "ending"),
    [
        ("/", (), (), PatternEnding.PREFIX),
        ("/static/", (b"static",), (), PatternEnding.PREFIX),
        ("/ws", (b"ws",), (), PatternEnding.EXACT),
        ("/users/{id}", (b"users", None), ("id",), PatternEnding.EXACT),
        ("/users/{id}/photos/", (b"users", None, b"photos"), ("id",), PatternEnding.PREFIX),
        ("/blog/{rest}", (b"blog",), (), PatternEnding.REST),
        ("/{rest}", (), (), PatternEnding.REST),
        ("/a b/ü", (b"a%20b", b"%C3%BC"), (), PatternEnding.EXACT),
        ("/a%20b/", (b"a%20b",), (), PatternEnding.PREFIX),
        ("/a//b/", (b"a", b"", b"b"), (), PatternEnding.PREFIX),
    ],
)
def test_a_pattern_is_segments_and_an_ending(
    text: str, segments: tuple[bytes | None, ...], names: tuple[str, ...], ending: PatternEnding
) -> None:
    pattern = parse_pattern(text)
    assert (pattern.segments, pattern.names, pattern.ending) == (segments, names, ending)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("static/", "does not begin with a slash"),
        ("/a?b=c", "more than a path"),
        ("/a#b", "more than a path"),
        ("/{rest}/a", "before its end"),
        ("/{a}/{a}", "twice"),
        ("/file-{name}", "only in part"),
        ("/{name", "only in part"),
        ("/a/../b", "clients resolve"),
    ],
)
def test_what_is_no_pattern_is_refused_in_words(text: str, says: str) -> None:
    with pytest.raises(PatternError, match=says):
        parse_pattern(text)


@pytest.mark.parametrize(
    ("text", "path", "captured"),
    [
        ("/blog/{rest}", b"/blog/2026/a%2Fb", {"rest": b"2026/a%2Fb"}),
        ("/blog/{rest}", b"/blog/", {"rest": b""}),
        ("/static/", b"/static/css/a.css", {"rest": b"css/a.css"}),
        ("/static/", b"/static", {"rest": b""}),
        ("/users/{id}/{rest}", b"/users/7/photos/1", {"id": b"7", "rest": b"photos/1"}),
        ("/users/{id}", b"/users/7", {"id": b"7"}),
    ],
)
def test_parameters_are_captured_as_they_were_sent(text: str, path: bytes, captured: dict[str, bytes]) -> None:
    assert parse_pattern(text).captures(path) == captured


@pytest.mark.parametrize(
    ("path", "one_is"),
    [
        (b"/%61dmin/", b"/admin/"),
        (b"/%2561dmin/", b"/admin/"),
        (b"//admin/", b"/admin/"),
        (b"/x/../admin/", b"/admin/"),
        (b"/x/%2e%2e/admin/", b"/admin/"),
        (b"/x%2f..%2fadmin", b"/admin"),
        (b"/./admin", b"/admin"),
        (b"/x//../admin", b"/admin"),
        (b"/x//../admin", b"/x/admin"),
        (b"\\admin", b"/admin"),
        (b"/x/..\\admin", b"/admin"),
        (b"/../../admin", b"/admin"),
        (b"/admin/.", b"/admin/"),
        (b"/admin/x/..", b"/admin/"),
        (b"/admin/.", b"/admin"),
        (b"/admin/x/..", b"/admin"),
        (b"/admin%2f.", b"/admin"),
        (b"/admin;x=1/", b"/admin/"),
        (b"/x/..;/admin", b"/admin"),
        (b"/admin%3bx/", b"/admin/"),
        (b"/x/..%3B/admin", b"/admin"),
        (b"/;a/admin", b"/admin"),
    ],
)
def test_every_reading_of_a_path_is_among_its_readings(path: bytes, one_is: bytes) -> None:
    assert one_is in (readings(path) or ())


def test_a_plain_path_has_one_reading() -> None:
    assert readings(b"/admin/users") == (b"/admin/users",)


def test_a_path_that_is_encoded_too_often_has_no_readings_that_could_be_told() -> None:
    assert readings(b"/%2525252561") is None


COVERED = [
    ("/", "/a/b", True),
    ("/a/", "/a", True),
    ("/a/", "/a/b/", True),
    ("/a", "/a/", False),
    ("/a", "/a", True),
    ("/{x}", "/a", True),
    ("/a", "/{x}", False),
    ("/a/{rest}", "/a/b", True),
    ("/a/{rest}", "/a", False),
    ("/a/b/", "/a/", False),
]


@pytest.mark.parametrize(("pattern", "other", "covers"), COVERED)
def test_a_pattern_covers_another(pattern: str, other: str, covers: bool) -> None:
    assert parse_pattern(pattern).covers(parse_pattern(other)) is covers


MEETING = [
    ("/a/", "/a/b", True),
    ("/a/", "/b/", False),
    ("/{x}/b", "/a/{y}", True),
    ("/a", "/a/b", False),
    ("/a", "/a/", True),
    ("/", "/a", True),
]


@pytest.mark.parametrize(("pattern", "other", "meets"), MEETING)
def test_patterns_that_match_a_path_in_common(pattern: str, other: str, meets: bool) -> None:
    assert parse_pattern(pattern).meets(parse_pattern(other)) is meets
    assert parse_pattern(other).meets(parse_pattern(pattern)) is meets
