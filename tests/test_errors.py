"""The table of causes: every sentence is fit to be read."""

from __future__ import annotations

import re

import pytest

from lb.errors import CAUSES


@pytest.mark.parametrize("cause", CAUSES.values(), ids=CAUSES)
def test_sentences_and_next_steps_are_whole_sentences(cause: object) -> None:
    # spec: E2
    for text in (cause.sentence, cause.mend):  # type: ignore[attr-defined]
        assert re.fullmatch(r"[A-Z][^\n\"<>&{}]*\.", text), text
        assert not re.search(r"\b(who|whoever|mended)\b", text), text
