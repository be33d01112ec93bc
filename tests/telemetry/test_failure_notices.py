"""What has been said about failing instances: once, whoever sees it, and not again and again."""

from __future__ import annotations

import pytest

from lb.telemetry.failure_notices import HOLD, FailureNotices

NAME, OTHER = ("shop", "production", "127.0.0.1:1"), ("shop", "production", "127.0.0.1:2")


@pytest.fixture
def said() -> FailureNotices:
    return FailureNotices()


# spec: E3
def test_one_of_many_workers_says_it(said: FailureNotices) -> None:
    assert [said.fails(NAME, 100.0, 100.0 + worker / 10) for worker in range(4)] == [True, False, False, False]
    assert said.fails(OTHER, 100.0, 100.0)
    assert said.works(NAME, 105.0) == 5.0
    assert said.works(NAME, 105.1) == 0.0


# spec: E3
def test_what_comes_and_goes_is_said_now_and_then(said: FailureNotices) -> None:
    assert said.fails(NAME, 100.0, 100.0)
    assert said.works(NAME, 101.0)
    assert not said.fails(NAME, 102.0, 102.0)
    assert not said.fails(NAME, 101.0 + HOLD, 100.9 + HOLD)
    assert said.fails(NAME, 101.0 + HOLD, 101.0 + HOLD)


def test_a_failure_that_others_have_seen_end_is_no_news(said: FailureNotices) -> None:
    assert said.fails(NAME, 100.0, 100.0)
    assert said.works(NAME, 200.0)
    assert not said.fails(NAME, 150.0, 300.0)


def test_what_nobody_sees_any_more_is_said_anew(said: FailureNotices) -> None:
    # Those who saw it may have died.
    assert said.fails(NAME, 100.0, 100.0)
    assert not said.fails(NAME, 105.0, 109.0)
    assert said.fails(NAME, 200.0, 200.0)


def test_a_return_that_was_not_preceded_by_a_word_is_not_said(said: FailureNotices) -> None:
    assert said.works(NAME, 100.0) == 0.0
