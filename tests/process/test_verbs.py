"""The words between the supervisor and its children, read where they come in."""

from __future__ import annotations

import pytest

from lb.process.verbs import ReloadAnswer, Verb


@pytest.mark.parametrize("verb", Verb)
def test_a_verb_is_read_back(verb: Verb) -> None:
    assert Verb.read(str(verb)) is verb


@pytest.mark.parametrize("word", ["Ready", "readyx", "ready ", "READY", "\ufffd"])
def test_what_is_no_verb_is_unknown(word: str) -> None:
    assert Verb.read(word) is Verb.UNKNOWN


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("7", ReloadAnswer("7")),
        ("7 the disk is full", ReloadAnswer("7", "the disk is full")),
        ("", ReloadAnswer("")),
    ],
)
def test_an_answer_is_a_number_and_perhaps_a_reason(text: str, answer: ReloadAnswer) -> None:
    assert ReloadAnswer.read(text) == answer
    assert str(answer) == text
