"""The load generators of `lb bench`: wrk for HTTP/1.1, h2load for HTTP/2, and lb's own where they are missing.

A runner takes a target, connections, seconds and a progress function, and returns Figures. Nothing is drawn here.
"""

from __future__ import annotations

import asyncio
import math
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol
from urllib.parse import SplitResult

from lb.cli.bench_client import generate
from lb.cli.bench_figures import WRK_SCRIPT, Figures, FiguresError, parse_h2load, parse_wrk

Tick = Callable[[float], None]
_STEP_S = 0.1
_SLACK_S = 15.0


class Runner(Protocol):
    """One load generator; `name` is shown to the user."""

    name: str

    def run(self, target: SplitResult, connections: int, seconds: float, tick: Tick) -> Figures:
        """Generate load for `seconds`. Raises FiguresError when there is nothing to report."""
        ...


class Wrk:
    """wrk counts whole seconds: the duration is rounded up."""

    name = "wrk"

    def run(self, target: SplitResult, connections: int, seconds: float, tick: Tick) -> Figures:
        whole = math.ceil(seconds)
        with tempfile.TemporaryDirectory(prefix="lb-bench-") as directory:
            script = Path(directory) / "report.lua"
            script.write_text(WRK_SCRIPT)
            command = ("wrk", "-t1", f"-c{connections}", f"-d{whole}s", "--latency", "-s", str(script), target.geturl())
            return _without_failed(parse_wrk(_output_of(command, whole, tick)))


def _without_failed(figures: Figures) -> Figures:
    """To wrk, an error page counts as answered; to the other two it does not."""
    errors = dict(figures.errors)
    failed = errors.pop("status", 0)
    return replace(figures, requests=figures.requests - failed, errors={**errors, "status 4xx or 5xx": failed})


class H2load:
    """h2load reports no percentiles, but logs every request."""

    name = "h2load"

    def run(self, target: SplitResult, connections: int, seconds: float, tick: Tick) -> Figures:
        whole = math.ceil(seconds)
        with tempfile.TemporaryDirectory(prefix="lb-bench-") as directory:
            log = Path(directory) / "requests.log"
            command = ("h2load", "-t1", f"-c{connections}", f"-D{whole}", f"--log-file={log}", target.geturl())
            output = _output_of(command, whole, tick)
            with log.open(encoding="ascii") if log.exists() else Path("/dev/null").open(encoding="ascii") as lines:
                return parse_h2load(output, lines)


class Own:
    """lb's own asyncio generator: slower than what it measures, so its throughput is a lower bound."""

    name = "lb's own generator"

    def run(self, target: SplitResult, connections: int, seconds: float, tick: Tick) -> Figures:
        return asyncio.run(generate(target, connections, seconds, tick))


def choose_runner(target: SplitResult, *, http2: bool) -> Runner:
    """The best runner that is installed. Raises FiguresError for HTTP/2 without h2load."""
    if http2:
        if shutil.which("h2load") is None:
            raise FiguresError("HTTP/2 needs h2load (package nghttp2-client)")
        return H2load()
    # Names under .localhost mean this machine, but not every resolver knows that; lb's own generator does.
    return Wrk() if shutil.which("wrk") and _resolves(target.hostname or "") else Own()


def _resolves(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
    except OSError:
        return False


def _output_of(command: Sequence[str], seconds: float, tick: Tick) -> str:
    """Run `command` to its end, reporting progress; returns its output. Raises FiguresError if it fails or hangs."""
    program = shutil.which(command[0]) or command[0]
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen((program, *command[1:]), stdout=output, stderr=subprocess.STDOUT)  # noqa: S603
        try:
            while child.poll() is None:
                passed = time.monotonic() - began
                if passed > seconds + _SLACK_S:
                    raise FiguresError(f"{command[0]} did not end in time")
                tick(passed)
                _pause(child)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        output.seek(0)
        text = output.read()
    if child.returncode:
        raise FiguresError(text.strip()[-400:] or f"{command[0]} ended with {child.returncode}")
    return text


def _pause(child: subprocess.Popen[bytes]) -> None:
    try:
        child.wait(_STEP_S)
    except subprocess.TimeoutExpired:
        return
