"""Whatever a file holds, reading it ends in a configuration or in ConfigErrors that can be printed."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lb.config.load import load_bytes
from lb.config.problems import ConfigErrors, Problem

EXAMPLE = (Path(__file__).parents[2] / "lb" / "config" / "example.yaml").read_bytes()
ENVIRON = {"NAME": "shop", "EMPTY": "", "ODD": "\udcff\x1b\n"}
# What YAML, variables and this file's keys are made of: more telling than random bytes.
PIECES = st.sampled_from(
    [
        b"\t",
        b"\n",
        b"  ",
        b"- ",
        b": ",
        b"{",
        b"}",
        b"[",
        b"]",
        b"'",
        b'"',
        b"*a",
        b"&a ",
        b"!!str ",
        b"!x ",
        b"<<: *a\n",
        b"? ",
        b"|\n",
        b">\n",
        b"#",
        b"---\n",
        b"...\n",
        b"%YAML 1.1\n",
        b"null",
        b"~",
        b"\x00",
        b"\xff",
        b"\xe2\x80\xa8",
        b"\r",
        b"\xef\xbb\xbf",
        b"${NAME}",
        b"${ODD}",
        b"${EMPTY}",
        b"${",
        b"}",
        b"$${",
        b"-1",
        b"1e400",
        b"9" * 40,
        b'"\\ud800"',
        b'"\\e[31m"',
        "。ü☃".encode(),
        b"listen: ",
        b"http: ",
        b"apps: ",
        b"domains: ",
        b"production: ",
        b"instances: ",
        b"limits: ",
        b"off",
        b"127.0.0.1:80",
        b"unix:",
        b"a.example",
        b"stg-a.example",
        b"*.com",
    ]
)
FILES = st.lists(PIECES | st.binary(max_size=4), max_size=40).map(b"".join)
EDITS = st.lists(
    st.tuples(st.integers(0, len(EXAMPLE)), st.integers(0, 40), PIECES | st.binary(max_size=4)), min_size=1, max_size=6
)


def edited(edits: list[tuple[int, int, bytes]]) -> bytes:
    data = bytearray(EXAMPLE)
    for start, length, piece in edits:
        data[start : start + length] = piece
    return bytes(data)


def read(data: bytes) -> tuple[Problem, ...]:
    try:
        return load_bytes("lb.yaml", data, ENVIRON).warnings
    except ConfigErrors as failure:
        errors, warnings = failure.problems, failure.warnings
    assert {problem.level for problem in errors} == {"error"}
    assert {problem.level for problem in warnings} <= {"warning"}
    return errors + warnings


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FILES | EDITS.map(edited))
def test_nothing_else_is_raised(data: bytes) -> None:
    # spec: R1
    lines = (
        data.decode(errors="replace").count("\n")
        + data.count(b"\r")
        + data.count(b"\xe2\x80")
        + data.count(b"\xc2\x85")
        + 1
    )
    problems = read(data)
    for problem in problems:
        text = str(problem)
        text.encode()
        assert all(character.isprintable() for character in text.replace("\n", ""))
        assert 1 <= problem.line <= lines + 1
        assert problem.column >= 1
    assert list(problems) == sorted(
        problems, key=lambda problem: (problem.level == "warning", problem.line, problem.column)
    )
