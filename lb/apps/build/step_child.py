"""Takes the limits of a build step on itself, and becomes the step: `step_child.py MEMORY CPUS COMMAND …`.

Run as a file of its own with `python -I -S`: standard library alone. 0 stands for no limit.
"""

import os
import resource
import signal
import sys


def main() -> None:
    memory, cpus = int(sys.argv[1]), int(sys.argv[2])
    if memory:  # of each process; what all of them use together is watched from outside
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        most = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if cpus and hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        first = os.getpid() % len(allowed)  # builds of several apps do not all take the same cores
        os.sched_setaffinity(0, (allowed[first:] + allowed[:first])[:cpus])
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and what is ignored stays so in a new program
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvp(sys.argv[3], sys.argv[3:])  # noqa: S606  that is what it is for
    except OSError as error:
        sys.exit(f"{sys.argv[3]}: {error.strerror}")


if __name__ == "__main__":
    main()
