"""A command as systemd starts it: `python -m tests.control.activated FDS NAMES COMMAND…`; FDS, as 5,7, are open
descriptors that COMMAND gets as 3, 4, …
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    passed = [int(fd) for fd in sys.argv[1].split(",")]
    moved = [os.dup2(fd, 100 + at) for at, fd in enumerate(passed)]
    for at, fd in enumerate(moved):
        os.dup2(fd, 3 + at)
        os.close(fd)
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(passed)), "LISTEN_FDNAMES": sys.argv[2]}
    os.execvpe(sys.argv[3], sys.argv[3:], {**os.environ, **environ})


if __name__ == "__main__":
    main()
