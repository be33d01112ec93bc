"""Times, sizes, networks and addresses of others → those of lb."""

from __future__ import annotations

import pytest

from lb.importing import values

DURATIONS = [
    ("60", "1m"),
    ("60s", "1m"),
    ("1h30m", "90m"),
    ("500ms", "500ms"),
    ("1y", "30d"),
    ("90", "90s"),
    ("1m30s", "90s"),
]


@pytest.mark.parametrize(("written", "duration"), DURATIONS)
def test_durations(written: str, duration: str) -> None:
    assert values.duration(written) == duration


@pytest.mark.parametrize("written", ["", "0", "x", "10x", "-1"])
def test_what_is_no_duration(written: str) -> None:
    assert values.duration(written) is None


SIZES = [("80m", "80M"), ("1024", "1K"), ("8K", "8K"), ("0", "0"), ("1g", "1G"), ("1000", "1000")]


@pytest.mark.parametrize(("written", "size"), SIZES)
def test_sizes(written: str, size: str) -> None:
    assert values.size(written) == size


@pytest.mark.parametrize(("written", "size"), [("10MB", "10000000"), ("10MiB", "10M"), ("64KB", "64000"), ("7", "7")])
def test_decimal_sizes(written: str, size: str) -> None:
    assert values.size(written, decimal=True) == size


def test_networks() -> None:
    assert values.network("10.1.2.3/8") == "10.0.0.0/8"
    assert values.network("::1") == "::1/128"
    assert values.network("unix:") is None


def test_instances() -> None:
    assert values.instance("web", 80) == "web:80"
    assert values.instance("::1", 80, tls=True) == "https://[::1]:80"
    assert values.instance("", 80) == "127.0.0.1:80"
    assert values.instance("a b", 80) is None
    assert values.instance("${HOST}", "1") == "${HOST}:1"


def test_listeners() -> None:
    assert [values.listen_address(one) for one in ("0.0.0.0:80", "[::]:80", "*:80", "[::1]:80")] == [":80"] * 3 + [
        "[::1]:80"
    ]
    assert values.listen_address("web:80") is None
