"""The figures of a load run, and the parsers for the reports of wrk and h2load.

Text in, figures out: nothing here starts a process or draws. All times are microseconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 100.0)
_MARK = "LB-FIGURES "

# wrk rounds what it prints; its Lua hook has exact numbers. With `done` alone, the load itself stays in C.
WRK_SCRIPT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('%s{"requests": %%d, "seconds": %%.6f, "bytes_in": %%d, ',
    summary.requests, summary.duration / 1e6, summary.bytes))
  io.write(string.format('"errors": {"connect": %%d, "read": %%d, "write": %%d, "status": %%d, "timeout": %%d}, ',
    e.connect, e.read, e.write, e.status, e.timeout))
  io.write('"percentiles": {')
  for i, p in ipairs({%s}) do
    io.write(string.format('%%s"%%g": %%d', i > 1 and ", " or "", p, p == 100 and latency.max or latency:percentile(p)))
  end
  io.write("}}\\n")
end
""" % (_MARK, ", ".join(f"{p:g}" for p in PERCENTILES))  # noqa: UP031 - braces are Lua's here


class FiguresError(Exception):
    """The report of a load generator cannot be parsed; the text is its last output."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Requests answered, wall seconds, response bytes, errors by class, latency in µs by percentile (100 is the
    largest).
    """

    requests: int
    seconds: float
    bytes_in: int
    percentiles: Mapping[float, float]
    errors: Mapping[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Requests answered per second."""
        return self.requests / self.seconds if self.seconds > 0 else 0.0

    @property
    def failed(self) -> int:
        """Requests and connection attempts without a good response."""
        return sum(self.errors.values())


def parse_wrk(output: str) -> Figures:
    """Read what wrk printed under WRK_SCRIPT. Raises FiguresError."""
    for line in output.splitlines():
        if line.startswith(_MARK):
            found = json.loads(line.removeprefix(_MARK))
            return Figures(
                requests=found["requests"],
                seconds=found["seconds"],
                bytes_in=found["bytes_in"],
                percentiles={float(p): float(value) for p, value in found["percentiles"].items()},
                errors=found["errors"],
            )
    raise FiguresError(output.strip()[-400:] or "wrk printed nothing")


def parse_h2load(output: str, log: Iterable[str]) -> Figures:
    """Read h2load's summary and its log (a line a request: start, status, duration in µs). Raises FiguresError."""
    latencies: list[float] = []
    statuses: dict[str, int] = {}
    for line in log:
        _start, status, duration = line.split("\t")[:3]
        if status.startswith("2"):
            latencies.append(float(duration))
        else:
            # h2load writes -1 for a stream that ended without a status.
            name = f"status {status[0]}xx" if status.isdigit() else "read"
            statuses[name] = statuses.get(name, 0) + 1
    seconds = _after(output, "finished in ", unit=True)
    if seconds is None:
        raise FiguresError(output.strip()[-400:] or "h2load printed nothing")
    return Figures(len(latencies), seconds, _traffic(output), percentiles_of(latencies), statuses)


def percentiles_of(latencies: Sequence[float]) -> dict[float, float]:
    """The nearest-rank percentiles of PERCENTILES; empty without a latency."""
    ordered = sorted(latencies)
    return {p: ordered[min(len(ordered) - 1, int(p / 100 * len(ordered)))] for p in PERCENTILES if ordered}


_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


def _after(output: str, words: str, *, unit: bool) -> float | None:
    _, found, rest = output.partition(words)
    text = rest.split(",", 1)[0].strip() if found else ""
    number = text.rstrip("ums") if unit else text
    return float(number) * _UNITS.get(text[len(number) :], 1.0) if number else None


def _traffic(output: str) -> int:
    """The bytes of h2load's line `traffic: 1.2MB (1234567) total, …`."""
    _, _, rest = output.partition("traffic: ")
    digits = rest.partition("(")[2].partition(")")[0]
    return int(digits) if digits.isdigit() else 0
