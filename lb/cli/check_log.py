"""Whether the access log that a configuration names can be written: what `lb check` finds out without making the file.

Another user than the one that checks may run the service, so what only this user may not do is a warning.
"""

from __future__ import annotations

import os
from pathlib import Path

from lb.config.load import Loaded
from lb.config.problems import Problem, quoted

_PATH = ("access_log", "path")


def check_access_log(loaded: Loaded) -> list[Problem]:
    """An error where the file cannot be made, a warning where this user may not write it."""
    settings, origin = loaded.config.access_log, loaded.origin
    if settings.format == "off" or settings.path == "-":
        return []
    path, directory = Path(settings.path), Path(settings.path).parent
    if not directory.is_dir():
        here = "" if directory.is_absolute() else f"; it was looked for in the working directory, {Path.cwd()}"
        what = "is not a directory" if directory.exists() else "does not exist"
        message = f"access_log.path: the directory {quoted(directory)} {what}"
        return [origin.problem(_PATH, message, f"make it: mkdir -p {directory}{here}")]
    if path.is_dir():
        message = f"access_log.path: {quoted(path)} is a directory"
        return [origin.problem(_PATH, message, f"name a file in it: {path / 'access.log'}")]
    needed, written = (os.W_OK, path) if path.exists() else (os.W_OK | os.X_OK, directory)
    if not os.access(written, needed):
        message = f"access_log.path: user {os.getuid()} may not write {quoted(written)}"
        hint = "check the file as the user that lb serves as, or give that user the right to write there"
        return [origin.problem(_PATH, message, hint, "warning")]
    return []
