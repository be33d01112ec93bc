"""Text from a CA and arguments for the operator's command: printable, bounded, and no option."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from lb.tls.acme import challenge
from lb.tls.acme.challenge import Proof, present
from lb.tls.acme.errors import AcmeError, Kind, error_of, said_by_ca
from lb.tls.acme.store import Store


@pytest.mark.parametrize(
    "text", ["\x1b[2Jgone", "two\nlines", "https://ca.example/\u202egnp", "x" * 100_000, "\x9b31m\x00", ["a", "\x1b"]]
)
def test_what_a_ca_says_is_shown_on_one_short_printable_line(text: object) -> None:
    shown = said_by_ca(text)
    assert shown.isprintable()
    assert len(shown) < 600


def test_every_message_of_an_error_is_one_short_printable_line() -> None:
    said = "\x1b]0;owned\x07\nfake line " * 1000
    for error in (
        AcmeError(Kind.REFUSED, f"a.example: the CA calls the authorization {said}"),
        error_of(400, {"type": said, "detail": said, "subproblems": [{"detail": said}] * 50}, None, "ca.example"),
    ):
        assert error.message.isprintable()
        assert str(error) == error.message
        assert len(error.message) < 2100


async def test_a_hook_that_parses_options_is_told_to_take_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One text in 64 begins with a hyphen; a command that ends with `--` has none taken for an option."""
    monkeypatch.setattr(challenge, "b64", lambda _: "-text")
    script = tmp_path / "hook.py"
    said = tmp_path / "said.json"
    script.write_text(
        "import argparse, json, os\n"
        "parser = argparse.ArgumentParser()\n"
        "parser.add_argument('said', nargs=3)\n"
        f"found = [*parser.parse_args().said, os.environ['LB_TEXT']]\n"
        f"open({str(said)!r}, 'w').write(json.dumps(found))\n"
    )
    proof = Proof("dns-01", "a.example", "token", "token.key", "https://ca.example/1")
    async with asyncio.timeout(30):
        await present(Store(tmp_path), proof, (sys.executable, str(script), "--"))
    assert json.loads(said.read_text()) == ["present", "_acme-challenge.a.example.", "-text", "-text"]
