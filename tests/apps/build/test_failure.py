"""What a failed build's last lines mean, and what to do next."""

from __future__ import annotations

import pytest

from lb.apps.build.failure import next_step_after


@pytest.mark.parametrize(
    ("line", "next_step"),
    [
        ("ERROR: No matching distribution found for flusk==1 (from -r x)", "check the name and version of flusk==1,"),
        ("ERROR: Cannot find command 'git' - do you have 'git' installed", "install git on this machine"),
        ("error: command 'gcc' failed: No such file or directory", "install a compiler"),
        ("error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory", "install a compiler"),
        ("x.c:1: fatal error: ffi.h: No such file or directory", "install the package that brings ffi.h"),
        ("x.c:1: fatal error: Python.h: No such file or directory", "install Python's headers"),
        ("KeyError: 'SECRET_KEY'", "a build sees no variables"),
        ("OSError: [Errno 28] No space left on device", "free space"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "a package differs"),
        ("Temporary failure in name resolution", "the package index cannot be reached"),
        ("nothing that is known", ""),
    ],
)
def test_what_to_do_next(line: str, next_step: str) -> None:
    assert next_step_after(("before", line, "after")).startswith(next_step)
    assert bool(next_step) == bool(next_step_after((line,)))
