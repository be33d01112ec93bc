"""Generates load: wrk for keep-alive GETs, the compiled generator for the rest. Knows nothing about proxies or CPU."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.certificate import HOST
from benchmarks.processes import LOAD_CORE, end, spawn
from benchmarks.programs import Programs
from lb.cli.bench_figures import WRK_SCRIPT, Figures, FiguresError, parse_wrk

CONNECTIONS = 64
_SLACK_S = 150.0
_READY_S = 30.0

# With Host, the thirteen header fields of a browser's request.
_BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.7,de;q=0.3",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Referer": "https://shop.example.com/listing?page=2",
    "Cookie": "session=4f1c0b7e9d3a48f6a1; theme=dark; consent=all",
    "Upgrade-Insecure-Requests": "1",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "Cache-Control": "max-age=0",
    "DNT": "1",
}

# A request for each bound domain in turn, all written before the load begins; 7919 is prime, so none is left out.
_SPREAD_SCRIPT = """
local requests, turn = {}, 0
init = function(args)
  local count = tonumber(args[1])
  for i = 1, count do
    wrk.headers["Host"] = string.format("d%d.bench.test", (i * 7919) % count)
    requests[i] = wrk.format("GET")
  end
end
request = function()
  turn = turn % #requests + 1
  return requests[turn]
end
"""


def spread_domain(number: int) -> str:
    """The name of bound domain `number` in the spread load."""
    return f"d{number}.bench.test"


def parse_generator(output: str) -> Figures:
    """Read the generator's one JSON object. Raises FiguresError."""
    try:
        found = json.loads(output)
    except json.JSONDecodeError as error:
        raise FiguresError(output.strip()[-400:] or "the load generator printed nothing") from error
    names = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9, "max": 100.0}
    percentiles = {p: float(found[name]) for name, p in names.items()}
    errors = {**found["errors"], "unsent": found["unsent"]}
    return Figures(found["requests"], found["seconds"], found["bytes_in"], percentiles, errors)


@dataclass(frozen=True, slots=True)
class Load:
    """The load programs, ready to run against one port of 127.0.0.1 or another; `directory` takes their small files."""

    programs: Programs
    directory: Path

    def wrk(self, scheme: str, port: int, path: str, seconds: float, *, gzip: bool = False) -> Figures:
        """64 keep-alive connections for `seconds`. Raises FiguresError."""
        return self._wrk(scheme, port, path, seconds, _fields(gzip=gzip), WRK_SCRIPT)

    def spread(self, port: int, domains: int, seconds: float) -> Figures:
        """The same, every request for the next of `domains` names, in a scattered order."""
        return self._wrk("http", port, "/small", seconds, _fields(), WRK_SCRIPT + _SPREAD_SCRIPT, str(domains))

    def generator(self, port: int, *words: str) -> Figures:
        """Run the generator with more command line words. Raises FiguresError."""
        command = self._generator_command(port, words)
        child = spawn(command, core=LOAD_CORE, log=self.directory / "load.errors", pipes=True)
        return parse_generator(_output_of(child, _SLACK_S))

    @contextmanager
    def held(self, port: int, connections: int, tls: str) -> Iterator[Figures]:
        """Connections that made one request each and stay open while the block runs. Raises FiguresError."""
        words = ("--hold", "--connections", str(connections), *(("--tls", tls) if tls else ()))
        child = spawn(
            self._generator_command(port, words), core=LOAD_CORE, log=self.directory / "load.errors", pipes=True
        )
        try:
            assert child.stdout is not None
            yield parse_generator(child.stdout.readline())
        finally:
            end(child)

    def _generator_command(self, port: int, words: tuple[str, ...]) -> tuple[str | Path, ...]:
        fields = self.directory / "fields.txt"
        fields.write_bytes("".join(f"{name}: {value}\r\n" for name, value in _fields().items()).encode("ascii"))
        return (self.programs.load, "--port", str(port), "--host", HOST, "--fields", fields, *words)

    def _wrk(
        self, scheme: str, port: int, path: str, seconds: float, fields: dict[str, str], script: str, *args: str
    ) -> Figures:
        program = shutil.which("wrk")
        if program is None:
            raise FiguresError("wrk is not installed")
        lua = self.directory / f"wrk-{len(script)}.lua"
        lua.write_text(script)
        headers = [word for name, value in fields.items() for word in ("-H", f"{name}: {value}")]
        # wrk counts whole seconds only.
        command = [
            program,
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{max(1, round(seconds))}s",
            "--latency",
            "-s",
            str(lua),
            *headers,
        ]
        url = f"{scheme}://{HOST}:{port}{path}"
        child = spawn([*command, url, *(("--", *args) if args else ())], core=LOAD_CORE, pipes=True)
        return parse_wrk(_output_of(child, seconds + _SLACK_S))


def _fields(*, gzip: bool = False) -> dict[str, str]:
    return {**_BROWSER, "Accept-Encoding": "gzip"} if gzip else _BROWSER


def _output_of(child: subprocess.Popen[str], patience: float) -> str:
    try:
        return child.communicate(timeout=patience)[0]
    except subprocess.TimeoutExpired as error:
        raise FiguresError(f"{child.args!r} did not end in {patience:.0f} s") from error
    finally:
        end(child)
