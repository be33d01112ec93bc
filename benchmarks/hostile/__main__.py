"""`python -m benchmarks.hostile`: every attack at full size, one after another, and a table of the results."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.hostile.attacker import Target
from benchmarks.hostile.attacks import ATTACKS
from benchmarks.hostile.door import under_attack
from benchmarks.hostile.http2_floods import HTTP2_FLOODS
from benchmarks.hostile.witness import Result, measure
from tests.e2e.harness.certificates import Authority
from tests.e2e.harness.door import FrontDoor

# Connections. These attacks are bounded by what the front door accepts, not by their number.
_SIZES = {
    "tiny_requests": 50,
    "pipelined_refusals": 50,
    "tiny_chunks": 50,
    "field_bombs": 50,
    "cookie_bombs": 50,
    "decompression_bombs": 50,
    "unread_answers": 500,
    "slow_readers": 500,
    "connect_and_leave": 100,
    "dropped_handshakes": 50,
    "key_updates": 50,
    **dict.fromkeys(HTTP2_FLOODS, 50),
}
_SIZE = 5000
_SECONDS = 10.0
_MIB = 1 << 20


@contextmanager
def serving(workers: int) -> Iterator[tuple[FrontDoor, Target]]:
    """A front door with the limits and times of its defaults."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with under_attack(directory, Authority(directory), workers=workers) as opened:
            yield opened


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description=__doc__)
    parser.add_argument("attacks", nargs="*", choices=[*ATTACKS, []], help="attacks to run; default: all")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="seconds, before and during each attack")
    parser.add_argument("--size", type=int, default=0, help="connections, instead of each attack's own number")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    print(_HEAD)
    for name in options.attacks or ATTACKS:
        with serving(options.workers) as (door, target):
            size = options.size or _SIZES.get(name, _SIZE)
            # The workers come first: the front door's other processes serve no clients.
            result = measure(name, ATTACKS[name], size, target, door.workers[: options.workers], options.seconds)
            print(row(result), flush=True)
    return 0


_COLUMNS = (
    "attack",
    "connections",
    "sent",
    "answers",
    "witness p50 / p99 / max before, ms",
    "during, ms",
    "failed",
    "memory, MiB",
    "a connection",
    "CPU",
    "µs CPU / KB",
    "fds back",
)
_HEAD = f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}"


def row(result: Result) -> str:
    """One line of the table."""
    during = result.during
    burnt = during.cpu - result.before.cpu
    cells = (
        result.name.replace("_", " "),
        f"{result.connections:,}" + (f" ({result.lost:,} ended)" if result.lost else ""),
        f"{result.sent / _MIB:.1f} MiB",
        f"{result.answers:,}",
        " / ".join(f"{1000 * result.before.quantile(part):.1f}" for part in (0.5, 0.99, 1)),
        " / ".join(f"{1000 * during.quantile(part):.1f}" for part in (0.5, 0.99, 1)),
        str(during.failures),
        f"{result.before.memory / _MIB:.0f} + {result.growth / _MIB:.1f}",
        f"{result.growth / max(result.connections, 1) / 1024:.1f} KiB",
        f"{100 * during.cpu / during.seconds:.0f} %",
        f"{1e6 * burnt / (result.sent / 1024):.1f}" if result.sent else "",
        "never" if result.calm is None else f"{result.calm:.1f} s",
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
