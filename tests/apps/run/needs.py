"""What tests need of the machine. What its kernel forbids is a reason to skip; what lacks only its package is one to
fail in continuous integration, which installs it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache

import pytest

from lb.apps.run.isolation import probe
from lb.apps.run.order import Isolation


def need_sandbox() -> Isolation:
    """The rung `bwrap`, where it holds."""
    need_program("bwrap", "apt-get install -y bubblewrap")
    if reason := sandbox_problem():
        pytest.skip(reason)
    return Isolation.BWRAP


def need_private_network() -> None:
    need_program("pasta", "apt-get install -y passt")
    if reason := network_problem():
        pytest.skip(reason)


def need_program(name: str, install: str) -> None:
    if shutil.which(name) is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed: {install}")


@cache
def sandbox_problem() -> str:
    """Why no sandbox can be made here; "" if one can."""
    (found,) = [one for one in probe().findings if one.name == "bwrap"]
    return "" if found.ok else found.sentence


@cache
def network_problem() -> str:
    """Why nothing can have a network of its own here; "" if it can."""
    flags = ["--net"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--net"]
    done = subprocess.run(["unshare", *flags, "true"], capture_output=True, text=True, timeout=10, check=False)
    return done.stderr.strip() if done.returncode else ""
