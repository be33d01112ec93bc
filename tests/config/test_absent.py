"""What other programs have and lb does not: words only, and each of them fit to be read as a hint."""

from __future__ import annotations

import pytest

from lb.config.absent import ABSENT_KEYS
from lb.config.model import App, Config, EnvironmentSettings
from lb.config.suggest import snake_case


@pytest.mark.parametrize("word", sorted(ABSENT_KEYS))
def test_a_word_is_found_as_it_is_looked_for(word: str) -> None:
    assert word == snake_case(word)


def test_no_word_is_a_key_of_a_section_that_every_file_has() -> None:
    for section in (Config, App, EnvironmentSettings):
        assert not ABSENT_KEYS.keys() & section.model_fields.keys()


@pytest.mark.parametrize("hint", sorted(set(ABSENT_KEYS.values())))
def test_a_hint_says_what_to_do_and_is_one_line(hint: str) -> None:
    assert hint
    assert "\n" not in hint
    assert not hint.endswith(".")
    assert hint.partition(" ")[0] in {"lb", "remove", "one", "write"}
