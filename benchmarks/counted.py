"""Runs lb under callgrind so that only its workers are counted: `python counted.py LIBRARY serve FILE`.

Imports and reading the configuration are a thousand times the work of a request, and slow if every instruction is
counted. With `--instr-atstart=no` they are not counted; LIBRARY (native/counting.c) switches counting on in each forked
worker.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import sys


def main() -> None:
    library, *arguments = sys.argv[1:]
    os.register_at_fork(after_in_child=ctypes.CDLL(library).begin_counting)
    sys.argv[1:] = arguments
    runpy.run_module("lb", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
