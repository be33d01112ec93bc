"""What other programs call what lb has: each word leads to a key, a value or a way that exists."""

from __future__ import annotations

import pytest

from lb.config.absent import ABSENT_KEYS
from lb.config.balancing import BALANCES
from lb.config.explain import _all_keys
from lb.config.migration_hints import ABSENT_BALANCES, FOREIGN_BALANCES, FOREIGN_KEYS
from lb.config.suggest import snake_case


@pytest.mark.parametrize(("word", "ours"), sorted(FOREIGN_BALANCES.items()))
def test_a_way_to_balance_leads_to_one_of_ours(word: str, ours: str) -> None:
    assert word == word.lower()
    assert any(balance in ours for balance in BALANCES), ours


def test_no_word_has_two_meanings() -> None:
    assert not FOREIGN_KEYS.keys() & ABSENT_KEYS.keys()
    assert not FOREIGN_BALANCES.keys() & (ABSENT_BALANCES.keys() | set(BALANCES))


@pytest.mark.parametrize("word", sorted(FOREIGN_KEYS))
def test_a_key_of_another_program_is_written_as_it_is_looked_for(word: str) -> None:
    assert word == snake_case(word)
    assert word not in _all_keys() or FOREIGN_KEYS[word]
