"""The two steps of a reload that can fail, and the words in which they end."""

from __future__ import annotations

from pathlib import Path

import pytest

from lb.config.load import load_bytes
from lb.config.model import Config
from lb.config.plan import make_plan
from lb.config.problems import ConfigErrors
from lb.control.reload.steps import NoPlans, Reading, ReloadOutcome, failure, read
from lb.process.start_error import StartError
from lb.tls.files.certificate import TlsError, TlsProblem


class Plans(NoPlans):
    """Reads what it is told to."""

    def __init__(self, result: Reading | Exception) -> None:
        self.result = result

    def read(self) -> Reading:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def broken() -> ConfigErrors:
    with pytest.raises(ConfigErrors) as caught:
        load_bytes("lb.yaml", b"apps: 5\nnonsense: 1\n", {})
    return caught.value


# spec: R4
def test_a_configuration_that_can_be_read() -> None:
    reading = Reading(make_plan(Config()), {})
    found = read(Plans(reading))
    assert found.result is reading
    assert found.cost >= 0.0


# spec: R4
def test_all_that_is_wrong_with_one_is_told_in_the_order_of_the_file() -> None:
    found = read(Plans(broken())).result
    assert isinstance(found, ReloadOutcome)
    assert not found.ok
    assert found.bad_configuration
    assert [problem.partition(":")[0] for problem in found.problems] == ["lb.yaml"] * len(found.problems)
    assert len(found.problems) >= 2


# spec: R4
@pytest.mark.parametrize(
    ("error", "bad_configuration"),
    [
        (StartError("port 80 is in use"), False),
        (TlsError((TlsProblem(Path("a.pem"), "cannot be read"),)), True),
        (OSError(28, "No space left"), False),
    ],
)
def test_other_reasons_are_told_as_they_are(error: Exception, bad_configuration: bool) -> None:
    found = failure(error)
    assert found == ReloadOutcome((str(error),), bad_configuration)
    assert read(Plans(error)).result == found


def test_a_success_has_no_problems() -> None:
    assert ReloadOutcome().ok
    assert ReloadOutcome(unchanged=True).ok


def test_a_service_without_a_file_says_so() -> None:
    found = read(NoPlans()).result
    assert isinstance(found, ReloadOutcome)
    assert found.problems == ("there is no configuration file to reload",)
