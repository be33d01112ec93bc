"""The effect of an attack on others: a well-behaved client's latency, the workers' memory, CPU time and descriptors."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.hostile.attacker import Attack, Target, attacking

_PACE = 0.004  # seconds between two requests of the witness
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Seen:
    """Latencies in seconds, the most memory in bytes, CPU seconds and seconds of the clock."""

    latencies: list[float] = field(default_factory=list)
    failures: int = 0
    memory: int = 0
    cpu: float = 0.0
    seconds: float = 0.0

    def quantile(self, part: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * part), len(ordered) - 1)] if ordered else float("inf")


@dataclass(slots=True)
class Result:
    """Before and during an attack; `calm` are seconds until all of its descriptors were back, or None."""

    name: str
    size: int
    before: Seen
    during: Seen
    connections: int
    sent: int
    answers: int
    lost: int
    calm: float | None

    @property
    def growth(self) -> int:
        """Bytes by which the workers grew."""
        return max(self.during.memory - self.before.memory, 0)


def measure(name: str, attack: Attack, size: int, target: Target, workers: Sequence[int], seconds: float) -> Result:
    """Watch for `seconds` without the attack, and for as long with it. `workers` are the front door's processes."""
    before = watch(target, workers, seconds)
    with attacking(attack, target, size) as tally:
        during = watch(target, workers, seconds)
        # The start of the attack counts, too: a peak may be over.
        during.memory = max(during.memory, sum(_memory(pid, "VmHWM") for pid in workers))
        done = tally.connections, tally.sent, tally.answers, tally.lost
    return Result(name, size, before, during, *done, _calm(target))


def watch(target: Target, workers: Sequence[int], seconds: float) -> Seen:
    """One request after another on one connection; a lost connection is a failure, and is made again."""
    seen = Seen()
    for pid in workers:
        with suppress(OSError):
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # resets the peak to what is resident now
    began, cpu = time.monotonic(), sum(map(_cpu, workers))
    request = f"GET /witness HTTP/1.1\r\nHost: {target.calm}\r\n\r\n".encode()
    sock: socket.socket | None = None
    while time.monotonic() - began < seconds:
        start = time.perf_counter()
        try:
            if sock is None:
                sock = socket.create_connection(("127.0.0.1", target.http), 10)
            sock.sendall(request)
            answer = sock.recv(65536)
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise ConnectionError(answer[:100])
            seen.latencies.append(time.perf_counter() - start)
        except OSError:
            seen.failures += 1
            if sock is not None:
                sock.close()
            sock = None
        seen.memory = max(seen.memory, sum(_memory(pid, "VmRSS") for pid in workers))
        time.sleep(_PACE)  # without a pause the client would measure itself
    if sock is not None:
        sock.close()
    seen.seconds = time.monotonic() - began
    seen.cpu = sum(map(_cpu, workers)) - cpu
    return seen


def _calm(target: Target, patience: float = 15.0) -> float | None:
    """Seconds until the front door has no client's connection open any more."""
    began = time.monotonic()
    while time.monotonic() - began < patience:
        if not _open_connections(target):
            return time.monotonic() - began
        time.sleep(0.05)  # the kernel has no notification for this
    return None


def _open_connections(target: Target) -> int:
    """Sockets of connections to the front door's ports that a process still has (/proc/net/tcp: proc(5))."""
    ends = tuple(f":{port:04X}" for port in (target.http, target.https))
    count = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        count += fields[1].endswith(ends) and fields[3] != "0A" and fields[9] != "0"
    return count


def _memory(pid: int, key: str) -> int:
    match = re.search(rf"^{key}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(match[1]) * 1024 if match else 0


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICK
