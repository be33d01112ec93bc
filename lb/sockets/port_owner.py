"""The process that listens on a port, according to /proc, in words for an error message.

It knows the text form of /proc/net/tcp and of a process's descriptors. Without /proc, or for another user's process,
the result is an empty string: the message is then shorter, but never wrong.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from lb.config.problems import printable

_LISTEN = "0A"  # TCP_LISTEN in the kernel's numbering
_COMMAND_SHOWN = 80  # characters


def port_holder(port: int) -> str:
    """`command line (pid N)` of a process that listens on TCP port `port` on any address, or ""."""
    inodes = _listening_inodes(port)
    if not inodes:
        return ""
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and _holds(process, inodes):
            return f"{_command(process)} (pid {process.name})"
    return ""


def _listening_inodes(port: int) -> set[str]:
    wanted = f":{port:04X}"
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            # sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …
            columns = line.split()
            if columns[1].endswith(wanted) and columns[3] == _LISTEN:
                inodes.add(f"socket:[{columns[9]}]")
    return inodes


def _holds(process: Path, inodes: set[str]) -> bool:
    try:
        for descriptor in (process / "fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                if str(descriptor.readlink()) in inodes:
                    return True
    except OSError:  # it ended, or belongs to another user
        return False
    return False


def _command(process: Path) -> str:
    try:
        text = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return "a process"
    text = printable(" ".join(text.split()))  # its arguments are not trusted
    return text if len(text) <= _COMMAND_SHOWN else text[: _COMMAND_SHOWN - 1] + "…"
