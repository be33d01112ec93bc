"""What those read who write the words of nginx, Caddy, Traefik, HAProxy, compose or Heroku, or guess: to the letter.

Each block of mistakes.txt is what is written, behind the place where it is written, and under it all that is said.
`LB_REWRITE_GOLDEN=1` writes the texts anew; read every difference before it is kept.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lb.config import names
from lb.config.absent import ABSENT_KEYS
from lb.config.explain import _all_keys
from lb.config.load import load_bytes
from lb.config.migration_hints import ABSENT_BALANCES, FOREIGN_BALANCES, FOREIGN_IN, FOREIGN_KEYS
from lb.config.problems import ConfigErrors, Problem

FILE = Path(__file__).with_name("mistakes.txt")
_HEAD = "listen: {http: ':80'}\n"
_INSTANCE = "instances: '127.0.0.1:3000'"
_APP = f"apps: {{shop: {{domains: a.example, production: {{{_INSTANCE}}}}}}}\n"
PLACES = {  # § is where something is written
    "top": f"{_HEAD}§\n{_APP}",
    "listen": f"listen: §\n{_APP}",
    "apps": f"{_HEAD}apps: §\n",
    "app": _HEAD + _APP.replace(f"{{{_INSTANCE}}}", f"{{{_INSTANCE}}}, §"),
    "environment": _HEAD + _APP.replace(_INSTANCE, f"{_INSTANCE}, §"),
    "instances": _HEAD + _APP.replace("'127.0.0.1:3000'", "§"),
    "domain": _HEAD + _APP.replace("a.example", "{name: a.example, §}"),
    "domains": _HEAD + _APP.replace("a.example", "§"),
}
BLOCKS = [block.split("\n") for block in FILE.read_text(encoding="utf-8").strip().split("\n\n")]


def said(heading: str) -> tuple[Problem, ...]:
    place, _, written = heading.partition(" | ")
    try:
        return load_bytes("lb.yaml", PLACES[place].replace("§", written).encode(), {}).warnings
    except ConfigErrors as errors:
        return errors.problems


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block[0])
def test_what_is_said(block: list[str]) -> None:
    # spec: R1
    heading, *expected = block
    problems = said(heading)
    assert problems
    written = heading.partition(" | ")[2]
    lines = []
    for problem in problems:
        assert problem.line
        assert "^" in problem.snippet
        assert problem.hint or "did you mean" in problem.message, "there is no next step"
        lines += [problem.message, f"    {problem.hint}"] if problem.hint else [problem.message]
    assert any(problem.snippet.splitlines()[1].strip() for problem in problems), written
    if os.environ.get("LB_REWRITE_GOLDEN") == "1":
        text = FILE.read_text(encoding="utf-8")
        FILE.write_text(text.replace("\n".join(block), "\n".join([heading, *lines])), encoding="utf-8")
    assert lines == expected


def test_there_are_many() -> None:
    assert len(BLOCKS) >= 150


def test_no_word_is_ours_already_or_stands_twice() -> None:
    assert not set(ABSENT_KEYS) & set(FOREIGN_KEYS)
    assert not set(FOREIGN_BALANCES) & set(ABSENT_BALANCES)
    sections = {word: where for where, words in FOREIGN_IN.items() for word in words}
    assert all(names.is_label(word) for word in sections)
    assert not [hint for hint in ABSENT_KEYS.values() if hint.endswith(".") or hint[0].isupper()]


def test_keys_of_ours_are_sent_to_their_place() -> None:
    """A key that exists elsewhere is never said not to exist at all."""
    assert set(ABSENT_KEYS) & set(_all_keys()) <= {"path"}
