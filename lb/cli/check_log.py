"""Whether the access log of a configuration is writable, found out by `lb check` without creating the file.

The service may run as another user, so a right that only this user lacks is a warning.
"""

from __future__ import annotations

import os
from pathlib import Path

from lb.config.load import Loaded
from lb.config.problems import Problem, quoted

_PATH = ("access_log", "path")


def check_access_log(loaded: Loaded) -> list[Problem]:
    """An error if the file cannot be created, a warning if this user may not write it."""
    settings, origin = loaded.config.access_log, loaded.origin
    if settings.format == "off" or settings.path == "-":
        return []
    path, directory = Path(settings.path), Path(settings.path).parent
    if not directory.is_dir():
        here = "" if directory.is_absolute() else f"; the path is relative to the working directory, {Path.cwd()}"
        what = "is not a directory" if directory.exists() else "does not exist"
        message = f"access_log.path: the directory {quoted(directory)} {what}"
        return [origin.problem(_PATH, message, f"create it: mkdir -p {directory}{here}")]
    if path.is_dir():
        message = f"access_log.path: {quoted(path)} is a directory"
        return [origin.problem(_PATH, message, f"name a file in it: {path / 'access.log'}")]
    needed, written = (os.W_OK, path) if path.exists() else (os.W_OK | os.X_OK, directory)
    if not os.access(written, needed):
        message = f"access_log.path: user {os.getuid()} may not write to {quoted(written)}"
        hint = "run lb check as the user that runs lb, or give that user write permission"
        return [origin.problem(_PATH, message, hint, "warning")]
    return []
