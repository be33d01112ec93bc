"""What a reload of a checked file would do to the apps that its engine runs, where one runs that may be asked."""

from __future__ import annotations

import os
from pathlib import Path

from lb.apps.service.reload_question import ask_of_a_reload


def changes_of_a_reload(file: Path) -> list[str]:
    """Sentences; none where no engine runs for the file, or it is another user's."""
    return [str(one) for one in ask_of_a_reload(file, os.environ).get("changes", ())]
