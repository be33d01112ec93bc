"""When the CA wants a certificate to be renewed, as it says."""

from __future__ import annotations

from typing import Any, cast

import pytest

from lb.tls.acme.ari import Renewal, ask
from lb.tls.acme.client import AcmeClient, Answer
from lb.tls.acme.errors import AcmeError, Kind
from lb.tls.acme.policy import DAY, HOUR, MINUTE, Window

NOW = 1_800_000_000.0
WINDOW = {"start": "2027-01-15T08:00:00Z", "end": "2027-01-16T08:00:00Z"}


class Ca:
    """Answers as it is told."""

    def __init__(
        self, answer: dict[str, Any] | AcmeError, retry_after: float | None = None, base: str = "https://ca/ri/"
    ) -> None:
        self.answer, self.retry_after, self.base = answer, retry_after, base
        self.asked: list[str] = []

    async def resource(self, _name: str) -> str:
        return self.base

    async def get(self, url: str) -> Answer:
        self.asked.append(url)
        if isinstance(self.answer, AcmeError):
            raise self.answer
        import json  # noqa: PLC0415

        return Answer(200, url, "", self.retry_after, {}, json.dumps(self.answer).encode())


async def asked(ca: Ca, before: Renewal | None = None) -> Renewal | None:
    return await ask(cast("AcmeClient", ca), "the.ari", NOW, before)


# spec: T5
async def test_a_window_and_when_to_ask_again() -> None:
    ca = Ca({"suggestedWindow": WINDOW, "explanationURL": "https://ca/why"}, 3 * HOUR)
    found = await asked(ca)
    assert found is not None
    assert ca.asked == ["https://ca/ri/the.ari"]
    assert found.window == Window(1_800_000_000.0, 1_800_086_400.0)
    assert (found.explanation, found.next_look) == ("https://ca/why", NOW + 3 * HOUR)


# spec: T5
@pytest.mark.parametrize(("said", "bounded"), [(1.0, MINUTE), (30 * DAY, DAY), (None, 6 * HOUR)])
async def test_the_time_until_the_next_question_is_bounded(said: float | None, bounded: float) -> None:
    found = await asked(Ca({"suggestedWindow": WINDOW}, said))
    assert found is not None
    assert found.next_look == NOW + bounded


@pytest.mark.parametrize(
    "window",
    [
        None,
        [],
        {"start": WINDOW["start"]},
        {"start": 5, "end": 6},
        {"start": "x", "end": "y"},
        {"start": WINDOW["end"], "end": WINDOW["start"]},
    ],
)
async def test_what_makes_no_sense_is_no_window(window: object) -> None:
    found = await asked(Ca({"suggestedWindow": window}))
    assert found is not None
    assert found.window is None


# spec: T5
async def test_what_was_said_last_stands_while_the_ca_does_not_answer() -> None:
    before = Renewal("the.ari", Window(1.0, 2.0), "https://ca/why", NOW)
    found = await asked(Ca(AcmeError(Kind.BUSY, "later", retry_after=HOUR)), before)
    assert found == Renewal("the.ari", before.window, before.explanation, NOW + HOUR)
    about_another = await asked(Ca(AcmeError(Kind.UNREACHABLE, "gone")), Renewal("other", Window(1.0, 2.0), "", NOW))
    assert about_another == Renewal("the.ari", None, "", NOW + 6 * HOUR)


async def test_a_ca_without_the_resource() -> None:
    assert await asked(Ca({}, base="")) is None
