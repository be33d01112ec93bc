"""Start the app's command from the shim: its own session, its limits, its two pipes, and nothing else of the shim's.

Part of the shim: standard library alone.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import sys

from lb.apps.run import process_tree

TYPE_CHECKING = False  # as typing's own, which would be an eighth of the shim's memory
if TYPE_CHECKING:
    from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_EXPENDABLE = 500  # of 1000: the kernel, short of memory, takes the app before its shim
OPTIONS = 3  # the descriptor at which a sandbox finds its options (`--args 3`)
_FILES = 65536  # open files at most, where the system lets an app have more

try:
    _prctl: Any = ctypes.CDLL(None, use_errno=True).prctl
except (OSError, AttributeError):  # not Linux: groups only
    _prctl = None


def adopt_orphans() -> bool:
    """Makes this process the parent of all that its descendants leave behind. False where the system cannot."""
    return _prctl is not None and _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


class AppProcess:
    """The started command: its pid and the reading ends of its pipes. `error` says why it could not be started."""

    __slots__ = ("err", "error", "out", "pid")

    def __init__(self, order: dict[str, Any]) -> None:
        self.out, out = os.pipe2(os.O_CLOEXEC)
        self.err, err = os.pipe2(os.O_CLOEXEC)
        failed, fail = os.pipe2(os.O_CLOEXEC)
        options = _options(order.get("args", []))
        processes = _process_limit(order)
        shim = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                _become(order, (out, err, options), processes, shim)
            except OSError as error:
                os.write(fail, f"{error.errno or 0} {error.filename or order['argv'][0]}".encode())
            finally:
                os._exit(127)
        for end in (out, err, fail, options):
            os.close(end)
        number, _, name = os.read(failed, 4096).decode("utf-8", "replace").partition(" ")
        os.close(failed)
        self.error = _in_words(int(number), name) if number else ""
        os.set_blocking(self.out, False)
        os.set_blocking(self.err, False)


def _become(order: dict[str, Any], pipes: tuple[int, int, int], processes: int, shim: int) -> None:
    os.setsid()
    os.dup2(os.open(order.get("stdin") or os.devnull, os.O_RDONLY), 0)
    os.dup2(pipes[0], 1)
    os.dup2(pipes[1], 2)
    if order.get("args"):
        os.dup2(pipes[2], OPTIONS)
    _limit(order["limits"], processes)
    _write("/proc/self/oom_score_adj", str(_EXPENDABLE))
    for group in order.get("cgroups", ()):
        _write(f"{group}/cgroup.procs", "0")
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != shim:
            os._exit(127)  # the shim has ended before it could be heard
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.umask(order.get("umask", 0o022))
    os.chdir(order["cwd"])
    os.execve(order["argv"][0], order["argv"], order["env"])  # noqa: S606 -- the shell is chosen by the order


def _options(words: list[str]) -> int:
    """A file in memory with a sandbox's options, which nobody sees in its argv."""
    file = os.memfd_create("options", os.MFD_CLOEXEC) if words else os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    if words:
        data = b"".join([word.encode() + b"\0" for word in words])
        while data:
            data = data[os.write(file, data) :]
        os.lseek(file, 0, os.SEEK_SET)
    return file


def _limit(limits: dict[str, Any], processes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = _FILES if most == resource.RLIM_INFINITY else min(most, _FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    if limits.get("file_size"):
        _lower(resource.RLIMIT_FSIZE, limits["file_size"])
    if processes:
        _lower(resource.RLIMIT_NPROC, processes)


def _lower(what: int, value: int) -> None:
    _, most = resource.getrlimit(what)
    if most != resource.RLIM_INFINITY:
        value = min(value, most)
    resource.setrlimit(what, (value, value))


def _process_limit(order: dict[str, Any]) -> int:
    """RLIMIT_NPROC counts all that its user has, not the app alone; it does not bind root, so the shim counts too."""
    pids = order["limits"].get("pids", 0)
    return process_tree.tasks_of_user(os.getuid()) + pids if pids and os.getuid() != 0 else 0


def _write(path: str, text: str) -> None:
    try:
        file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.write(file, text.encode())
    except OSError as error:
        sys.stderr.write(f"{path}: {error.strerror}\n")
    finally:
        os.close(file)


def _in_words(number: int, name: str) -> str:
    if number == errno.ENOENT:
        return f"{name} is not there (or the interpreter named in its first line is not)"
    return f"{name}: {os.strerror(number)}"
