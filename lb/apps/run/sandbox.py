"""How an app's command is wrapped: bubblewrap's options, and what the app sees in it.

The options hold the app's environment, so they go to bubblewrap through a pipe and never stand in an argv. Knows
nothing of signals or of the process that starts it.

Traps, all seen: bubblewrap dies of SIGTERM and takes the app with it without a word (so the app itself is signalled);
`--as-pid-1` makes an app without a handler ignore SIGTERM (so it is not used); nothing is left after a SIGKILL only
with both `--unshare-pid` and `--die-with-parent`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HOME = "/home/leanengine"
APP = f"{HOME}/app"
TMP = "/tmp"  # noqa: S108 -- inside the sandbox
LEVELS = 2  # processes between the one that is started and the app: bubblewrap twice, once as the namespace's first

_BIG = "/home/tmp"
_TOP = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_READABLE = ("/etc", "/opt", "/run/systemd/resolve", "/sys/devices/system/cpu", "/sys/fs/cgroup")
# What root may read and an app of root's must not.
_SECRET_FILES = ("/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers")
_SECRET_DIRECTORIES = ("/etc/ssh", "/etc/ssl/private", "/etc/sudoers.d", "/etc/letsencrypt", "/etc/lb")


@dataclass(frozen=True, slots=True)
class View:
    """What the app sees of the machine beside the system's own: `project` becomes /home/leanengine/app, `readable` and
    `writable` stand where they are, `quota` bounds home and /tmp together.
    """

    project: Path
    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    quota: int | None


def options(view: View, environment: Mapping[str, str], top: Path = Path("/")) -> list[str]:
    """All of bubblewrap's options, for `--args`."""
    found = ["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    found += ["--die-with-parent", "--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev"]
    found += _system(top)
    found += _scratch(view.quota)
    for path in view.readable:
        found += ["--ro-bind", str(path), str(path)]
    for path in view.writable:
        found += ["--bind", str(path), str(path)]
    found += ["--ro-bind", str(view.project), APP, "--remount-ro", "/", "--chdir", APP, "--clearenv"]
    for name, value in environment.items():
        found += ["--setenv", name, value]
    return found


def _system(top: Path) -> list[str]:
    found = ["--ro-bind", "/usr", "/usr"]
    for name in _TOP:
        path = top / name
        if path.is_symlink():
            found += ["--symlink", str(path.readlink()), f"/{name}"]
        elif path.is_dir():
            found += ["--ro-bind", f"/{name}", f"/{name}"]
    for place in _READABLE:
        found += ["--ro-bind-try", place, place]
    for place in _SECRET_FILES:
        if os.path.lexists(top / place.lstrip("/")):
            found += ["--ro-bind", "/dev/null", place]
    for place in _SECRET_DIRECTORIES:
        if (top / place.lstrip("/")).is_dir():
            found += ["--tmpfs", place]
    return found


def _scratch(quota: int | None) -> list[str]:
    """One file system for both places, so that one limit holds over both; it is memory, and gone with the instance."""
    size = ["--size", str(quota)] if quota else []
    return [
        *size, "--tmpfs", "/home", "--dir", HOME, "--perms", "1777", "--dir", _BIG,
        "--symlink", "home/tmp", TMP, "--dir", "/var", "--symlink", f"..{_BIG}", f"/var{TMP}",
    ]  # fmt: skip


def python_prefix(python: Path) -> Path | None:
    """Where the interpreter behind a venv's `python` is installed; None if that is part of /usr. Where `python` is a
    copy, as with Python 2.7, the venv's record names the original.
    """
    try:
        real = python.resolve(strict=True)
        if real.parent == python.parent.resolve():
            real = _home(python.parent.parent).resolve(strict=True) / "python"
    except OSError:
        return None
    prefix = real.parent.parent
    return None if prefix.is_relative_to("/usr") or prefix == Path("/") else prefix


def _home(venv: Path) -> Path:
    """`home` of pyvenv.cfg. Raises FileNotFoundError."""
    for line in (venv / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "home":
            return Path(value.strip())
    raise FileNotFoundError(venv)
