"""Which rung of the ladder holds on this machine: systemd > bwrap > none. Looks, tries, and says what would add more.

Every finding has a sentence, and the command that mends it where one does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lb.apps.run import cgroup
from lb.apps.run.cgroup import CgroupSupport
from lb.apps.run.order import Isolation

_PATIENCE = 10.0  # seconds that a trial may take
_TRIAL = ("--unshare-user", "--unshare-pid", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc", "true")
_USERNS = "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"

Run = Callable[[Sequence[str]], "tuple[int, str]"]
Which = Callable[[str], "str | None"]


@dataclass(frozen=True, slots=True)
class IsolationFinding:
    """One thing that was looked for: whether it is there, what that means, and the command that adds it."""

    name: str
    ok: bool
    sentence: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class IsolationLadder:
    """What `auto` chose, and with what: paths of programs ("" where they are not used), cgroups, and the findings."""

    rung: Isolation
    bwrap: str
    scope: tuple[str, ...]
    pasta: str
    cgroups: CgroupSupport
    findings: tuple[IsolationFinding, ...]


class IsolationError(Exception):
    """The configuration asks for a rung that does not hold here."""

    def __init__(self, sentence: str, next_step: str) -> None:
        super().__init__(f"{sentence} {next_step}".strip())
        self.sentence = sentence
        self.next_step = next_step


def probe(wanted: Isolation = Isolation.AUTO, run: Run | None = None, which: Which = shutil.which) -> IsolationLadder:
    """The ladder as it stands now. Raises IsolationError if a rung is wanted by name and does not hold."""
    run = run or _run
    bwrap = _bwrap(run, which)
    systemd = _systemd(run, which)
    pasta = which("pasta") or ""
    support = cgroup.find()
    findings = (systemd, bwrap, _cgroups(support), _user(os.getuid()), _network(pasta))
    rung = _choose(wanted, systemd, bwrap)
    return IsolationLadder(
        rung,
        bwrap=(which("bwrap") or "") if bwrap.ok and wanted is not Isolation.NONE else "",
        scope=_scope() if rung is Isolation.SYSTEMD else (),
        pasta=pasta,
        cgroups=support,
        findings=findings,
    )


def _choose(wanted: Isolation, systemd: IsolationFinding, bwrap: IsolationFinding) -> Isolation:
    holds = {Isolation.SYSTEMD: systemd, Isolation.BWRAP: bwrap}
    if wanted in holds and not holds[wanted].ok:
        step = f"Run: {holds[wanted].command}" if holds[wanted].command else "Set isolation: auto."
        raise IsolationError(f"isolation: {wanted} does not hold here: {holds[wanted].sentence}.", step)
    if wanted is Isolation.AUTO:
        return next((rung for rung, finding in holds.items() if finding.ok), Isolation.NONE)
    return wanted


def _bwrap(run: Run, which: Which) -> IsolationFinding:
    path = which("bwrap")
    if path is None:
        return IsolationFinding("bwrap", False, "bubblewrap is not installed", "apt-get install -y bubblewrap")
    status, words = run([path, *_TRIAL])
    if status == 0:
        return IsolationFinding(
            "bwrap", True, "apps run in namespaces of their own, with 1 GB of files over home and /tmp"
        )
    reason = words.strip().splitlines()[-1] if words.strip() else f"status {status}"
    return IsolationFinding("bwrap", False, f"bubblewrap cannot make a user namespace ({reason})", _USERNS)


def _systemd(run: Run, which: Which) -> IsolationFinding:
    if which("systemd-run") is None or not Path("/run/systemd/system").is_dir():
        return IsolationFinding("systemd", False, "systemd does not run this machine")
    status, words = run([*_scope(), "true"])
    if status == 0:
        return IsolationFinding(
            "systemd", True, "each instance is a scope of systemd, with limits of memory, CPU and processes"
        )
    reason = words.strip().splitlines()[-1] if words.strip() else f"status {status}"
    mend = "" if os.getuid() == 0 else f"loginctl enable-linger {os.getuid()}"
    return IsolationFinding("systemd", False, f"systemd gives no scope ({reason})", mend)


def _scope() -> tuple[str, ...]:
    manager = () if os.getuid() == 0 else ("--user",)
    return ("systemd-run", *manager, "--scope", "--quiet", "--collect")


def scope_for(
    ladder: IsolationLadder, ident: str, memory: int | None, cpus: float | None, pids: int
) -> tuple[str, ...]:
    """What stands before the shim's command on the rung `systemd`: its scope, with the limits that the kernel holds."""
    if not ladder.scope:
        return ()
    limits = [f"TasksMax={pids}"] if pids else []
    if memory:
        limits += [f"MemoryMax={memory}", "MemorySwapMax=0"]
    if cpus:
        limits.append(f"CPUQuota={cpus * 100:g}%")
    return (*ladder.scope, f"--unit=lb-instance-{ident}", *(word for limit in limits for word in ("-p", limit)), "--")


def _cgroups(support: CgroupSupport) -> IsolationFinding:
    if support.parent is not None and not support.missing:
        return IsolationFinding("cgroup", True, "memory, CPU and processes of an instance are limited by the kernel")
    watched = "memory and processes are counted instead, and CPU is not limited"
    return IsolationFinding(
        "cgroup", False, f"{support.missing}; {watched}", "systemctl edit lb-engine  # [Service] Delegate=yes"
    )


def _user(uid: int) -> IsolationFinding:
    if uid != 0:
        return IsolationFinding("user", True, "apps do not run as root")
    return IsolationFinding(
        "user",
        False,
        "apps run as root, so that the kernel does not bound their number of processes without a cgroup",
        "run lb engine as a user of its own, as config/lb-engine.service does",
    )


def _network(pasta: str) -> IsolationFinding:
    if pasta:
        return IsolationFinding("network", True, "network: private can be used")
    return IsolationFinding(
        "network", False, "network: private needs pasta, which is not installed", "apt-get install -y passt"
    )


def _run(argv: Sequence[str]) -> tuple[int, str]:
    try:
        done = subprocess.run(argv, capture_output=True, timeout=_PATIENCE, check=False, stdin=subprocess.DEVNULL)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return done.returncode, done.stderr.decode("utf-8", "replace")
