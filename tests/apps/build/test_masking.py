"""Secrets in a build's output are hidden."""

from __future__ import annotations

import pytest

from lb.apps.build.masking import Masker


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("token=abcdefgh1 end", "token=**** end"),
        ("abcdefgh12 is longer", "**** is longer"),
        ("short: abc", "short: abc"),
        ("git+https://u:p%40ss@git.example/x", "git+https://****@git.example/x"),
        ("https://token@host/x", "https://****@host/x"),
        ("ssh://git@git.example/x", "ssh://git@git.example/x"),
        ("https://index.example/simple?x=a@b", "https://index.example/simple?x=a@b"),
        ("postgres://u:pa/ss@db/x", "postgres://****@db/x"),
        ("first line of key", "**** of key"),
    ],
)
def test_masking(text: str, expected: str) -> None:
    masker = Masker(["abcdefgh1", "abcdefgh12", "abc", "first line\nab", ""])
    assert masker.mask(text) == expected
