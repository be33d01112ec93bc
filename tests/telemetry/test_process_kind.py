"""The kinds of processes: the words under which people see them, and which of them are parts of a service."""

from __future__ import annotations

import pytest

from lb.process.child import Role, RolePlace
from lb.telemetry.process_kind import PARTS, ProcessKind


def test_the_words_are_those_of_metrics_and_logs() -> None:
    assert [str(kind) for kind in ProcessKind] == ["worker", "health", "certificates", "admin", "job"]


def test_a_service_consists_of_all_but_jobs() -> None:
    assert set(PARTS) == set(ProcessKind) - {ProcessKind.JOB}
    assert len(PARTS) == len(set(PARTS))


@pytest.mark.parametrize("kind", ProcessKind)
def test_only_workers_are_no_assistants(kind: ProcessKind) -> None:
    role = Role("tester", lambda _: 0, (), None, RolePlace(kind))
    assert role.is_assistant is (kind is not ProcessKind.WORKER)
