"""Lines of the log on stderr."""

from __future__ import annotations

import re
import subprocess
import sys

CODE = """
import logging
from lb.cli.stderr_log import log_to_stderr
log_to_stderr()
logging.getLogger("lb.engine").info("it %s", "runs")
logging.getLogger("lb").debug("hidden")
logging.getLogger("other").warning("shown")
"""


def test_lines_have_their_time_and_their_level() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    first, second = done.stderr.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d info it runs", first)
    assert second.endswith(" warning shown")
