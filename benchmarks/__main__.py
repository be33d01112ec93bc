"""`python -m benchmarks`: the side-by-side table. Parses the command line, runs the scenarios, writes and prints the
report.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.backend import running_backend
from benchmarks.certificate import make_certificate
from benchmarks.chart import Group, draw
from benchmarks.load import Load
from benchmarks.measure import Effort
from benchmarks.peers import NAMES, make_peers
from benchmarks.peers.base import Peer, PeerError
from benchmarks.peers.lb import Lb
from benchmarks.processes import core_count
from benchmarks.programs import BuildError, build
from benchmarks.report import Facts, render
from benchmarks.rounds import Ground, run_scenario
from benchmarks.scenarios import BY_NAME, SCENARIOS, Scenario
from benchmarks.summary import LB, Row, sum_up

RESULTS = Path(__file__).parent / "results"


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 if a report was written, 1 if it is not a result or nothing could be measured, 2 for wrong usage."""
    options = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return _run(options)
    except (BuildError, PeerError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--scenario", nargs="+", choices=sorted(BY_NAME), metavar="NAME", help="only these rows")
    parser.add_argument("--peers", type=_names, default=NAMES, help=f"comma-separated, of {','.join(NAMES)}")
    parser.add_argument("--rounds", type=int, default=7, help="number of rounds; the median counts (7)")
    parser.add_argument("--seconds", type=float, default=1.0, help="seconds of load per round (1)")
    parser.add_argument("--quick", action="store_true", help="one short round each: a first impression, not a result")
    parser.add_argument("--lb-python", type=Path, default=Path(sys.executable), help="the interpreter that has lb")
    parser.add_argument("--allow-fallback", action="store_true", help="measure lb even if it runs uncompiled")
    parser.add_argument("--output", type=Path, default=RESULTS, help="directory of the report")
    parser.add_argument("--list", action="store_true", help="list the scenarios and exit")
    return parser


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip().lower() for name in text.split(",") if name.strip())
    unknown = sorted(set(names) - set(NAMES))
    if unknown or not names:
        raise argparse.ArgumentTypeError(
            f"unknown proxy {', '.join(unknown) or '(none)'}; known are {', '.join(NAMES)}"
        )
    return names


def _run(options: argparse.Namespace) -> int:
    if options.list:
        for scenario in SCENARIOS:
            print(f"{scenario.name:18} {scenario.title}: {scenario.kind.value}")
        return 0
    peers, absent = _present(make_peers(options.peers, options.lb_python))
    scenarios = tuple(BY_NAME[name] for name in options.scenario) if options.scenario else SCENARIOS
    caveat = _caveat(peers, options)
    if caveat and not options.allow_fallback:
        print(f"benchmarks: {caveat}; --allow-fallback measures it nevertheless", file=sys.stderr)
        return 1
    rounds = 1 if options.quick else options.rounds
    effort = Effort(1.0, 0.25) if options.quick else Effort(options.seconds)
    rows = _measure_all(scenarios, peers, rounds, effort)
    whole = not options.quick and scenarios == SCENARIOS and not absent and set(options.peers) == set(NAMES)
    facts = Facts(
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        rounds=rounds,
        seconds=effort.seconds,
        machine=_machine(),
        versions={**{peer.name: peer.version() for peer in peers}, **absent},
        caveat=caveat,
    )
    _write(rows, facts, options.output, "" if whole else "-partial")
    return 0 if any(row.entries for row in rows) else 1


def _present(peers: Sequence[Peer]) -> tuple[tuple[Peer, ...], dict[str, str]]:
    """The peers that can be measured, and why the others cannot."""
    absent = {peer.name: why for peer in peers if (why := peer.missing())}
    return tuple(peer for peer in peers if peer.name not in absent), absent


def _caveat(peers: Sequence[Peer], options: argparse.Namespace) -> str:
    """Why the run is not a result; empty if it is."""
    for peer in peers:
        if isinstance(peer, Lb):
            engine = peer.engine()
            if engine != "compiled":
                if options.allow_fallback:
                    peer.env.pop("LB_REQUIRE_COMPILED", None)
                return f"not a result: lb runs the fallback engine ({engine or 'unknown'}), not the compiled one"
    return ""


def _measure_all(scenarios: Sequence[Scenario], peers: Sequence[Peer], rounds: int, effort: Effort) -> list[Row]:
    if core_count() < 2:
        print("benchmarks: there is only one core, so the load disturbs the measurement", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="lb-bench-") as name, ExitStack() as stack:
        directory = Path(name)
        programs = build(directory)
        most = max(scenario.instances for scenario in scenarios)
        instances = stack.enter_context(running_backend(programs, directory, most))
        ground = Ground(Load(programs, directory), make_certificate(directory), instances, directory)
        return [
            sum_up(run_scenario(scenario, peers, ground, rounds, effort))
            for scenario in scenarios
            if any(peer.name in scenario.peers for peer in peers)
        ]


def _machine() -> str:
    models = (line.partition(":")[2].strip() for line in _cpuinfo().splitlines() if line.startswith("model name"))
    system = f"Linux {platform.release()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f} at the end"
    return f"{core_count()} cores, {next(models, platform.machine())}, {system}"


def _cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


def _write(rows: Sequence[Row], facts: Facts, directory: Path, suffix: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{facts.date}{suffix}.md"
    chart = path.with_suffix(".svg")
    groups = [Group(row.scenario.title, row.scenario.unit, {k: e.cost for k, e in row.entries.items()}) for row in rows]
    chart.write_text(draw(f"Cost per request beside nginx's, {facts.date}", groups))
    text = render(rows, facts, chart.name)
    path.write_text(text)
    print(text)
    print(f"Written to {path} and {chart.name}.", file=sys.stderr)
    for row in rows:
        for verdict in row.verdicts:
            if verdict.held is False:
                print(f"{LB} misses a bound: {row.scenario.title} against {verdict.bound.against}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
