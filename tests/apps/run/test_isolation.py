"""Which rung holds, said for machines that we do not have."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import pytest

from lb.apps.run.isolation import IsolationError, IsolationFinding, IsolationLadder, probe, scope_for
from lb.apps.run.order import Isolation

ALL = {"bwrap": "/usr/bin/bwrap", "pasta": "/usr/bin/pasta"}


def ladder(
    wanted: Isolation = Isolation.AUTO, programs: dict[str, str] | None = None, status: int = 0, words: str = ""
) -> IsolationLadder:
    def run(_: Sequence[str]) -> tuple[int, str]:
        return status, words

    return probe(wanted, run, (ALL if programs is None else programs).get)


def finding(found: IsolationLadder, name: str) -> IsolationFinding:
    return next(one for one in found.findings if one.name == name)


def test_bubblewrap_is_taken_where_it_works() -> None:
    found = ladder()
    assert (found.rung, found.bwrap, found.pasta) == (Isolation.BWRAP, "/usr/bin/bwrap", "/usr/bin/pasta")
    assert finding(found, "bwrap").ok


def test_none_is_left_where_nothing_is_installed_and_the_commands_are_said() -> None:
    found = ladder(programs={})
    assert (found.rung, found.bwrap) == (Isolation.NONE, "")
    assert finding(found, "bwrap").command == "apt-get install -y bubblewrap"
    assert finding(found, "network").command == "apt-get install -y passt"
    assert all(one.sentence for one in found.findings)


def test_closed_user_namespaces_are_said_with_the_switch() -> None:
    found = ladder(status=1, words="bwrap: setting up uid map: Permission denied\n")
    assert found.rung is Isolation.NONE
    assert "setting up uid map: Permission denied" in finding(found, "bwrap").sentence
    assert "apparmor_restrict_unprivileged_userns" in finding(found, "bwrap").command


def test_a_rung_that_is_wanted_by_name_and_does_not_hold_is_refused() -> None:
    with pytest.raises(IsolationError, match="isolation: bwrap does not hold here: bubblewrap is not installed"):
        ladder(Isolation.BWRAP, programs={})
    with pytest.raises(IsolationError, match=r"isolation: systemd does not hold here.*Set isolation: auto"):
        ladder(Isolation.SYSTEMD)


def test_none_can_be_wanted() -> None:
    found = ladder(Isolation.NONE)
    assert (found.rung, found.bwrap) == (Isolation.NONE, "")


def test_a_scope_has_the_limits() -> None:
    found = ladder()
    assert scope_for(found, "1a", 1 << 20, 0.5, 512) == ()
    scoped = IsolationLadder(Isolation.SYSTEMD, "", ("systemd-run", "--scope"), "", found.cgroups, ())
    assert scope_for(scoped, "1a", 1 << 20, 0.5, 512) == (
        "systemd-run", "--scope", "--unit=lb-instance-1a", "-p", "TasksMax=512", "-p", "MemoryMax=1048576",
        "-p", "MemorySwapMax=0", "-p", "CPUQuota=50%", "--",
    )  # fmt: skip
    assert scope_for(scoped, "1a", None, None, 0) == ("systemd-run", "--scope", "--unit=lb-instance-1a", "--")


def test_this_machine_is_probed_for_real() -> None:
    found = probe()
    assert (found.rung is Isolation.NONE) == (
        not any(one.ok for one in found.findings if one.name in ("bwrap", "systemd"))
    )
    assert bool(found.pasta) == (shutil.which("pasta") is not None)
