"""What the tests of the benchmarks need from the machine: a tool that is missing is a failure in CI and a skip
elsewhere.
"""

from __future__ import annotations

import os
import shutil

import pytest


def need(*programs: str) -> None:
    """Skip the test, or in CI fail it, unless all `programs` are installed."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"not installed: {', '.join(missing)}")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
