"""What is remembered of a certificate between attempts, and what a damaged file costs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lb.tls.acme.ari import Renewal
from lb.tls.acme.errors import Kind
from lb.tls.acme.policy import Failure, Window
from lb.tls.acme.state import State, from_json, to_json


def failure(ca: str, kind: Kind, count: int = 1) -> Failure:
    return Failure(ca, kind, "why", count, 100.0, 200.0)


STATE = State(
    "https://ca.example/dir",
    Renewal("ari", Window(1.0, 2.0), "https://ca.example/why", 3.0),
    (failure("https://ca.example/dir", Kind.BUSY), failure("other", Kind.HERE, 3)),
    2,
    True,
)


@pytest.mark.parametrize("state", [State(), STATE, State(renewal=Renewal("ari", None, "", 3.0))])
def test_what_is_written_is_read_again(state: State) -> None:
    # spec: T5
    assert from_json(json.loads(json.dumps(to_json(state)))) == state


@pytest.mark.parametrize(
    "damage",
    [
        {"failures": [{"ca": "x"}]},
        {"failures": 5},
        {"proofs_failed": "many"},
        {"renewal": {"ari": "x"}},
        {"renewal": []},
        {"failures": [{**to_json(STATE)["failures"][0], "kind": "bored"}]},
    ],
)
def test_a_damaged_file_counts_as_not_remembered(damage: dict[str, Any]) -> None:
    assert from_json({**to_json(STATE), **damage}) == State()
    assert from_json(None) == State()


def test_a_failure_takes_the_place_of_the_one_before_with_the_same_ca() -> None:
    # spec: T5
    state = (
        State().failed(failure("a", Kind.UNPROVEN)).failed(failure("b", Kind.BUSY)).failed(failure("a", Kind.HERE, 2))
    )
    assert [(one.ca, one.count) for one in state.failures] == [("b", 1), ("a", 2)]
    assert state.proofs_failed == 2  # of those that another proof might mend
    found = state.failure("b")
    assert found is not None
    assert found.kind is Kind.BUSY
    assert state.failure("c") is None
