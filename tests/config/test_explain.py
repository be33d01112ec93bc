"""The errors of the model in words for an operator (many more, to the letter, are in `tests/config/mistakes.txt`)."""

from __future__ import annotations

import pytest

from lb.config.load import load_bytes
from lb.config.problems import ConfigErrors, Problem

GOOD = "listen: {http: 127.0.0.1:0}\napps: {a: {domains: [a.example], production: {instances: [127.0.0.1:1]}}}\n"


def only(text: str, **environ: str) -> Problem:
    with pytest.raises(ConfigErrors) as caught:
        load_bytes("lb.yaml", text.encode(), environ)
    (problem,) = caught.value.problems
    return problem


# spec: E3
@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("wrokers: 2", 'unknown key "wrokers"', "did you mean"),
        ("idle: 5s", 'unknown key "idle"', "belongs under timeouts"),
        ("timeouts:", "timeouts has no value", "give it a value"),
        ("timeouts: 5s", "keys and values are expected here", "write the keys"),
        ("workers: many", "workers: ", "auto"),
        ("workers:4", "", ""),
    ],
)
def test_what_is_said_of_a_line(line: str, message: str, hint: str) -> None:
    problem = only(f"{GOOD}{line}\n")
    assert problem.line >= 2
    assert message in problem.message
    assert hint in f"{problem.message} {problem.hint}"


def test_a_key_that_lacks_is_told_at_its_section() -> None:
    problem = only(GOOD + "tls: {certificates: {cert: a.pem}}\n")
    assert problem.message == 'tls.certificates[0] lacks the key "key"'
    assert problem.line == 3


def test_an_empty_file() -> None:
    assert only("").message == "this file is empty"


# spec: E3
def test_what_a_variable_holds_is_not_shown() -> None:
    problem = only(GOOD + "workers: ${WORKERS}\n", WORKERS="hunter2-secret")
    assert "hunter2" not in str(problem)
    assert "WORKERS" in str(problem)
