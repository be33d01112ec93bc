"""Sizes, durations, counts and switches, as tables."""

from __future__ import annotations

import pytest

from lb.config.units import (
    BadValueError,
    Plain,
    parse_count,
    parse_duration,
    parse_rate,
    parse_size,
    parse_switch,
    show_rate,
    show_size,
)

# spec: R1


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("1", 1),
        ("8192", 8192),
        ("8K", 8192),
        ("8k", 8192),
        ("8KB", 8192),
        ("8KiB", 8192),
        ("8 kib", 8192),
        ("100M", 104_857_600),
        ("1.5G", 1_610_612_736),
        ("2T", 2 << 40),
        ("512B", 512),
        ("010", 10),
        (" 64K ", 65536),
        (65536, 65536),
    ],
)
def test_size(written: object, size: int) -> None:
    assert parse_size(written) == size
    assert parse_size(Plain(written)) == size


@pytest.mark.parametrize(
    "written",
    [
        "",
        "K",
        "8X",
        "8 K B",
        "-1",
        "+1",
        "1e3",
        "0x10",
        "1_000",
        "1,000",
        "8KK",
        "inf",
        "nan",
        "٣",
        "0",
        "0K",
        "2000T",
        "9" * 400,
        True,
        None,
        [1],
        {"a": 1},
    ],
)
def test_not_a_size(written: object) -> None:
    with pytest.raises(BadValueError):
        parse_size(written)


@pytest.mark.parametrize(("size", "shown"), [(0, "0"), (1, "1"), (1000, "1000"), (8192, "8K"), (100 << 20, "100M")])
def test_show_size(size: int, shown: str) -> None:
    assert show_size(size) == shown


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("60", 60.0),
        ("60s", 60.0),
        ("60 s", 60.0),
        ("500ms", 0.5),
        ("1ms", 0.001),
        ("1.5s", 1.5),
        ("2m", 120.0),
        ("1h", 3600.0),
        ("30d", 2_592_000.0),
        ("010", 10.0),
        (5, 5.0),
        (0.25, 0.25),
    ],
)
def test_duration(written: object, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        "",
        "s",
        "0",
        "0s",
        "-1s",
        "1y",
        "60sec",
        "1h30m",
        "1:30",
        "22:22",
        "1e3",
        "inf",
        "31d",
        "0.1ms",
        "9" * 400,
        True,
        None,
        [1],
        float("nan"),
        float("inf"),
    ],
)
def test_not_a_duration(written: object) -> None:
    with pytest.raises(BadValueError):
        parse_duration(written)


@pytest.mark.parametrize(("written", "count"), [(Plain("4"), 4), (Plain("010"), 10), (Plain("+7"), 7), (4, 4)])
def test_count(written: object, count: int) -> None:
    assert parse_count(written, 1, 1000) == count


@pytest.mark.parametrize("text", ["0", "-1", "1001", "four", "1.0", "1e2", "0x4", "1_0", "", "9" * 5000])
def test_not_a_count(text: str) -> None:
    with pytest.raises(BadValueError):
        parse_count(Plain(text), 1, 1000)


@pytest.mark.parametrize("written", ["4", True, 4.0, None])
def test_a_count_is_a_number_without_quotes(written: object) -> None:
    with pytest.raises(BadValueError):
        parse_count(written, 1, 1000)


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "yes", "Yes", "on", "ON"])
def test_yes(text: str) -> None:
    assert parse_switch(Plain(text)) is True
    assert parse_switch(text) is True  # JSON knows these words only in quotes


@pytest.mark.parametrize("text", ["false", "False", "no", "NO", "off", "Off"])
def test_no(text: str) -> None:
    assert parse_switch(Plain(text)) is False
    assert parse_switch(text) is False


@pytest.mark.parametrize("written", [Plain("y"), "", Plain("1"), Plain("yse"), 1, 0, None, []])
def test_neither(written: object) -> None:
    with pytest.raises(BadValueError):
        parse_switch(written)


@pytest.mark.parametrize(
    ("written", "rate"),
    [("100/s", (100, 1)), ("600/m", (600, 60)), ("1 / h", (1, 3600)), (" 5/s ", (5, 1)), ("1000000/s", (1000000, 1))],
)
def test_rate(written: str, rate: tuple[int, float]) -> None:
    assert parse_rate(written) == rate
    assert parse_rate(Plain(written)) == rate
    assert parse_rate(show_rate(*rate)) == rate


@pytest.mark.parametrize(
    "written",
    [
        "",
        "100",
        "/s",
        "100/",
        "100/d",
        "100/min",
        "0/s",
        "-1/s",
        "1.5/s",
        "1000001/s",
        "1/s/s",
        "9" * 400 + "/s",
        100,
        True,
        None,
        [1],
        "٣/s",
    ],
)
def test_what_is_no_rate(written: object) -> None:
    with pytest.raises(BadValueError):
        parse_rate(written)
