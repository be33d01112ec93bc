"""The form in which an operator reads every error: place, line, carets, hint."""

from __future__ import annotations

import pytest

from lb.config.problems import ConfigErrors, Origin, Place, Problem, Source, Span, dotted, in_order, printable, quoted

TEXT = "listen:\n  http: nonsense\n  admin: 5\n"


def source() -> Source:
    return Source.of("lb.yaml", TEXT)


def test_a_problem_shows_the_line_and_points_at_it() -> None:
    # spec: E3
    problem = source().problem(Span(1, 8, 16), "this is not an address", "write 127.0.0.1:80")
    assert str(problem) == (
        "lb.yaml:2:9: error: this is not an address\n"
        "    http: nonsense\n"
        "          ^^^^^^^^\n"
        "    hint: write 127.0.0.1:80"
    )


def test_where_lines_mean_nothing_none_is_named() -> None:
    problem = Source("lb serve", ("--to x",), numbered=False).problem(Span(0, 5, 6), "no", level="warning")
    assert str(problem).startswith("lb serve: warning: no\n")


def test_a_span_over_several_lines_is_cut_at_the_first() -> None:
    assert source().span((1, 8), (2, 4)) == Span(1, 8, 16)
    assert source().span((1, 8), (1, 8)) == Span(1, 8, 9)
    assert source().line(99) == ""


def test_problems_come_in_the_order_of_the_file_and_each_once() -> None:
    first, second = (Problem("f", line, 1, "m") for line in (1, 2))
    assert in_order([second, first, second]) == (first, second)
    errors = ConfigErrors([second, first], [second])
    assert str(errors) == f"{first}\n{second}"
    assert errors.warnings == (second,)


def test_the_place_of_what_is_not_written_is_that_of_the_nearest_thing_around_it() -> None:
    place = Place(Span(0, 0, 6), Span(1, 2, 6))
    origin = Origin(source(), {("listen",): place})
    assert origin.place(("listen", "http", 0)) == place
    assert origin.place(("apps",)).key == Span(0, 0, 1)
    assert origin.name(("listen", "https")) == "listen"
    assert dotted(("apps", "shop", "domains", 0)) == "apps.shop.domains[0]"


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\nb", "a\u202eb"])
def test_what_comes_from_a_file_cannot_drive_a_terminal(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert shown != text
    assert len(quoted("x" * 1000)) < 100
