"""The types of the configuration's values: what people write, and what the program gets of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from lb.config.fields import (
    AppName,
    Buffering,
    File,
    HealthUri,
    LogPath,
    MediaType,
    SecondsOrOff,
    Secret,
    SharedDomain,
    ShareOrOff,
    Status,
    Workers,
    count,
    one_or_more,
    or_none,
    seconds,
    size,
)
from lb.config.tree import Blank


def read(kind: Any, value: object) -> object:
    return TypeAdapter(kind).validate_python(value)


def refused(kind: Any, value: object) -> str:
    with pytest.raises(ValidationError) as caught:
        read(kind, value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        (Annotated[int, size(1 << 20, 10)], "1 KiB", 1024),
        (Annotated[int, count(10)], 10, 10),
        (Annotated[float, seconds(1, 60)], "30s", 30.0),
        (Annotated[tuple[str, ...], one_or_more(str)], "a", ("a",)),
        (Annotated[tuple[str, ...], one_or_more(str)], ["a", "b"], ("a", "b")),
        (Annotated[str | None, or_none], Blank.EMPTY, None),
        (File, "a/b.pem", Path("a/b.pem")),
        (LogPath, "-", "-"),
        (MediaType, "Text/HTML", "text/html"),
        (AppName, "my-shop", "my-shop"),
        (Workers, "auto", None),
        (Workers, 4, 4),
        (Status, 200, "200"),
        (Status, "5XX", "5xx"),
        (HealthUri, "/health?full=1", "/health?full=1"),
        (SecondsOrOff, "off", None),
        (SecondsOrOff, False, None),
        (SecondsOrOff, "2m", 120.0),
        (ShareOrOff, "20%", 0.2),
        (Secret, "x" * 16, "x" * 16),
    ],
)
def test_what_a_value_becomes(kind: Any, written: object, value: object) -> None:
    assert read(kind, written) == value


@pytest.mark.parametrize(
    ("kind", "written", "words"),
    [
        (Annotated[int, count(10)], 11, "out of range"),
        (Annotated[tuple[str, ...], one_or_more(str, empty=False)], [], "the list is empty"),
        (File, "", "the path is empty"),
        (File, "a\0b", "NUL"),
        (MediaType, "text/*", "not one media type"),
        (MediaType, "text", "not a media type"),
        (AppName, "my shop", "cannot name an app"),
        (Workers, "many", ""),
        (Status, 600, "is not a status"),
        (Status, "2xx-5xx", "is not a status"),
        (HealthUri, "http://a/health", "is a URL, not a path"),
        (HealthUri, "GET /health", "is not a valid path"),
        (Secret, "short", "the secret is too short"),
        (SharedDomain, "*.apps.example", "is a wildcard"),
        (ShareOrOff, "0%", "out of range"),
    ],
)
def test_what_is_refused_and_in_which_words(kind: Any, written: object, words: str) -> None:
    # spec: E3
    assert words in refused(kind, written)


# spec: F6
@pytest.mark.parametrize(
    ("written", "value"), [("auto", "auto"), ("on", "on"), (True, "on"), ("yes", "on"), ("off", "off"), (False, "off")]
)
def test_which_requests_are_buffered(written: object, value: str) -> None:
    assert read(Buffering, written) == value


def test_what_is_no_way_to_buffer_requests() -> None:
    assert "auto" in refused(Buffering, "always")
    assert refused(Buffering, "64K")
