"""`${NAME}` and `${NAME:-default}` inside a value."""

from __future__ import annotations

import pytest

from lb.config.variables import expand, has_reference

ENVIRON = {"PORT": "8000", "EMPTY": "", "BLANKS": "  x\r\n", "NESTED": "${PORT}"}


def expanded(text: str) -> tuple[str | None, list[tuple[str, str, str]], dict[str, str]]:
    reports: list[tuple[str, str, str]] = []
    learnt: dict[str, str] = {}
    found = expand(text, ENVIRON, lambda *report: reports.append(report), learnt.__setitem__)
    return found, reports, learnt


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:${PORT}", "127.0.0.1:8000"),
        ("${PORT}${PORT}", "80008000"),
        ("${MISSING:-5000}", "5000"),
        ("${EMPTY:-5000}", "5000"),
        ("${EMPTY}", ""),
        ("${MISSING:-}", ""),
        ("${BLANKS}", "x"),
        ("${NESTED}", "${PORT}"),  # not replaced twice
        ("$${PORT}", "${PORT}"),
        ("$PORT {x}", "$PORT {x}"),
    ],
)
def test_what_a_value_becomes(text: str, expected: str) -> None:
    found, reports, _ = expanded(text)
    assert (found, reports) == (expected, [])


@pytest.mark.parametrize(
    ("text", "written", "hint"),
    [
        ("a ${PORTS}", "${PORTS}", "did you mean ${PORT}?"),
        ("${NOWHERE}", "${NOWHERE}", "set it, or give a default: ${NOWHERE:-value}"),
        ("${}", "${}", "write ${NAME}"),
        ("${1A}", "${1A}", "write ${NAME}"),
        ("${PORT", "${PORT", "write ${NAME}"),
        ("${PORT:=1}", "${PORT:=1}", "write ${NAME}"),
    ],
)
def test_what_cannot_be_replaced_is_reported(text: str, written: str, hint: str) -> None:
    found, reports, _ = expanded(text)
    assert found is None
    ((said, _, mend),) = reports
    assert said == written
    assert mend.startswith(hint)


def test_values_are_learnt_so_that_they_are_not_shown() -> None:
    _, _, learnt = expanded("${PORT} ${EMPTY} ${MISSING:-secret}")
    assert learnt == {"PORT": "8000"}
    assert has_reference("a ${B}")
    assert not has_reference("a $B")
