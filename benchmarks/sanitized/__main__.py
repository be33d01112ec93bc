"""`python -m benchmarks.sanitized DIRECTORY`: drive a front door whose compiled modules in DIRECTORY are instrumented.

Hostile clients, hostile instances and the attacks of `benchmarks.hostile`, on both kinds of TLS, for a bounded time.
Exit code 1 where a sanitizer reports anything, a worker is lost, or a client that behaves is not served. `make
sanitize` builds what is in DIRECTORY, and runs this.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.hostile.app import running_app
from benchmarks.hostile.attacker import Target, attacking
from benchmarks.hostile.attacks import ATTACKS
from benchmarks.sanitized.crowd import Seen, bad_instance, crowding
from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST
from tests.e2e.harness.door import FrontDoor, configure

_CALM = "calm.example.com"
_CLIENTS = 8
_ATTACKERS = 10  # connections of an attack
_EACH = 2.0  # seconds of an attack


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sanitized", description=__doc__)
    parser.add_argument("directory", type=Path, help="where lb's instrumented modules are")
    parser.add_argument("--seconds", type=float, default=60.0, help="duration of the whole run")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    failed = False
    for tls in ("direct", "memory"):
        with tempfile.TemporaryDirectory() as directory:
            found = drive(Path(directory), options.directory.resolve(), tls, options.seconds / 2, options.seed)
        for problem in found:
            print(problem, file=sys.stderr)
        failed = failed or bool(found)
    return int(failed)


def drive(directory: Path, built: Path, tls: str, seconds: float, seed: int) -> list[str]:
    """The findings, in words."""
    reports = directory / "reports"
    reports.mkdir()
    env = _environment(built, reports, tls)
    with bad_instance(seed) as attacked, running_app() as calm:
        config = configure(
            attacked,
            listen={"http": "127.0.0.1:0", "https": "127.0.0.1:0"},
            tls=tls_config(Authority(directory).issue(HOST, _CALM)),
            timeouts={"response": "2s", "read": "2s", "head": "5s", "idle": "5s"},
        )
        config["apps"]["calm"] = {"domains": [_CALM], "production": {"instances": [calm]}}
        with FrontDoor(config, directory, env=env) as door:
            workers = door.workers
            if not all(_is_instrumented(pid, built) for pid in workers):
                return [f"{tls}: it does not run the modules in {built}"]
            end = time.monotonic() + seconds
            with crowding(seed, door.http, door.https, _CALM, _CLIENTS) as seen:
                _attack_until(end, Target(door.http, door.https, HOST, _CALM))
            lost = set(workers) - set(door.workers)
    crowd = seen[0] if seen else Seen()
    print(f"{tls}: {crowd.count} connections, {crowd.answered} responses to the well-behaved client", flush=True)
    found = [f"{tls}: a sanitizer reports:\n{path.read_text(errors='replace')}" for path in sorted(reports.iterdir())]
    said = [line for line in door.stderr if "runtime error:" in line or "Sanitizer" in line]
    found += [f"{tls}: a sanitizer reports: {line}" for line in dict.fromkeys(said)]
    found += [f"{tls}: worker {pid} was lost: {door.stderr[-20:]}" for pid in lost]
    found += [f"{tls}: the well-behaved client got {failure!r}" for failure in crowd.failures[:5]]
    if not crowd.answered:
        found.append(f"{tls}: the well-behaved client got no response")
    return found


def _is_instrumented(pid: int, built: Path) -> bool:
    mapped = Path(f"/proc/{pid}/maps").read_text()
    return f"{built}/lb/proxy/io/wire." in mapped and "/libasan." in mapped


def _attack_until(end: float, target: Target) -> None:
    """One attack after another, repeated while there is time."""
    while True:
        for attack in ATTACKS.values():
            left = end - time.monotonic()
            if left <= 0:
                return
            with attacking(attack, target, _ATTACKERS) as tally:
                tally.stop.wait(min(_EACH, left))


def _environment(built: Path, reports: Path, tls: str) -> dict[str, str]:
    """The sanitizers' library must be loaded before all others; leaks are off, since an interpreter frees little at its
    end.
    """
    library = subprocess.run(
        ("cc", "-print-file-name=libasan.so"), capture_output=True, text=True, check=True
    ).stdout.strip()
    return {
        "PYTHONPATH": str(built),
        "PYTHONMALLOC": "malloc",
        "LD_PRELOAD": library,
        "ASAN_OPTIONS": f"detect_leaks=0:log_path={reports}/address",
        "UBSAN_OPTIONS": "print_stacktrace=1",  # if both are linked, it always writes to stderr
        "LB_REQUIRE_COMPILED": "1",
        "LB_TLS": "memory" if tls == "memory" else "",
    }


if __name__ == "__main__":
    sys.exit(main())
