"""A process under test: its stderr as it comes, its children, and an end that leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.e2e.harness import process
from tests.e2e.harness.waiting import wait_for

_ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 20.0


class Running:
    """`python -m` something, in a session of its own; leaving the `with` kills what is left of it."""

    def __init__(self, *arguments: str, cwd: Path | None = None, environ: Mapping[str, str] | None = None) -> None:
        path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH", "")]))
        self.process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": path, **(environ or {})},
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.output: list[str] = []
        self._readers = [
            threading.Thread(target=self._collect, args=(self.process.stderr, self.lines)),
            threading.Thread(target=self._collect, args=(self.process.stdout, self.output)),
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _collect(pipe: object, lines: list[str]) -> None:
        for line in pipe:  # type: ignore[attr-defined]
            lines.append(line.rstrip("\n"))  # noqa: PERF401  others look at the list meanwhile

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def children(self) -> list[int]:
        return process.children(self.pid)

    @property
    def stderr(self) -> str:
        return "\n".join(self.lines)

    def wait_line(self, pattern: str) -> re.Match[str]:
        """The first line of stderr in which `pattern` is found, as soon as it is there."""

        def look() -> re.Match[str] | None:
            for line in list(self.lines):
                if found := re.search(pattern, line):
                    return found
            assert self.process.poll() is None or self._readers[0].is_alive(), f"it ended:\n{self.stderr}"
            return None

        found = wait_for(look, f"a line with {pattern!r} in:\n{self.stderr}", _PATIENCE)
        assert found is not None
        return found

    def wait_ready(self) -> None:
        self.wait_line(r"^ready$")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait_end(self) -> int:
        code = self.process.wait(_PATIENCE)
        for reader in self._readers:
            reader.join(_PATIENCE)
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait_end()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()
        if value is not None:
            value.add_note(f"stderr:\n{self.stderr}")
