"""What a reload of a checked file would do to the apps that its engine runs, where one runs that may be asked."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from lb.apps.service.engine_socket import find_engine
from lb.apps.service.placements import PROTOCOL, line_of, read_line

_PATIENCE = 5.0  # seconds


def changes_of_a_reload(file: Path) -> list[str]:
    """Sentences; none where no engine runs for the file, or it is another user's."""
    with suppress(OSError, ValueError):
        connection = find_engine(file, os.environ)
        if connection is None:
            return []
        with connection, connection.makefile("rb") as lines:
            connection.settimeout(_PATIENCE)
            connection.sendall(line_of({"protocol": PROTOCOL, "command": "plan"}))
            answer: dict[str, Any] = read_line(lines.readline())
            if answer.get("ok"):
                return [str(one) for one in answer["changes"]]
    return []
