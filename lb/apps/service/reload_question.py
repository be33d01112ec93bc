"""What the engine of a file would do if it were told now to read the file again, asked over its socket.

It changes nothing. This file knows the question; what becomes of the answer is for those who ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lb.apps.service.engine_socket import find_engine
from lb.apps.service.placements import PROTOCOL, line_of, read_line

_PATIENCE = 5.0  # seconds


def ask_of_a_reload(file: Path, environ: Mapping[str, str]) -> Mapping[str, Any]:
    """The engine's answer: `changes`, and `refused`, a reason or "". Empty where no engine runs for the file, where it
    is another user's, and where it finds the file at fault.
    """
    with suppress(OSError, ValueError):
        connection = find_engine(file, environ)
        if connection is None:
            return {}
        with connection, connection.makefile("rb") as lines:
            connection.settimeout(_PATIENCE)
            connection.sendall(line_of({"protocol": PROTOCOL, "command": "plan"}))
            answer = read_line(lines.readline())
            if answer.get("ok"):
                return answer
    return {}
