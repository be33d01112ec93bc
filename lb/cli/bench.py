"""`lb bench URL`: load-tests a user's own front door and shows the figures.

This file chooses the load generator (wrk, h2load, or lb.cli.bench_client) and draws the figures. It does not know how
load is made or how reports are parsed.
"""

from __future__ import annotations

import ipaddress
import math
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

import click

from lb.cli.bench_figures import Figures, FiguresError
from lb.cli.exits import FAILED, USAGE, fail

if TYPE_CHECKING:
    from rich.table import Table

_BAR_WIDTH = 40


@click.command()
@click.argument("url")
@click.option("--connections", type=click.IntRange(1, 10_000), default=64, show_default=True, help="Open connections.")
@click.option("--duration", type=click.FloatRange(0.5, 3600), default=10.0, show_default=True, help="Seconds of load.")
@click.option("--http2", is_flag=True, help="Use HTTP/2 (needs h2load).")
@click.option("--yes", is_flag=True, help="URL is on another machine, and you may load-test it.")
def bench(url: str, connections: int, duration: float, *, http2: bool, yes: bool) -> None:
    """Load-test the front door at URL: latency, throughput and errors.

    Certificates are not verified. Uses wrk or h2load if installed, otherwise a generator of its own. Exit code 1 if no
    request was answered.
    """
    target = _parse_url(url)
    if not yes and not is_loopback(target.hostname or ""):
        fail(f"{target.hostname} is not this machine; --yes confirms that you may load-test it", USAGE)
    from lb.cli.bench_run import choose_runner  # noqa: PLC0415  asyncio takes long to import, and a refusal does not need it

    try:
        runner = choose_runner(target, http2=http2)
        figures = _run_with_progress(
            runner.name, duration, lambda tick: runner.run(target, connections, duration, tick)
        )
    except FiguresError as error:
        fail(f"no figures: {error}", FAILED)
    _show(target, runner.name, connections, figures)
    if not figures.requests:
        raise click.exceptions.Exit(FAILED)


def is_loopback(host: str) -> bool:
    """Whether all addresses of `host` are loopback addresses; names under `.localhost` are (RFC 6761 section 6.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_loopback for entry in found)


def bars(values: Sequence[float], width: int = _BAR_WIDTH) -> list[str]:
    """A bar for each value on a logarithmic scale, the largest `width` wide: latencies differ by powers of ten.

    The scale starts a tenth below the smallest value, so that it also has a bar.
    """
    if not values or max(values) <= 0:
        return ["" for _ in values]
    low = math.log(max(min(values), 0.1) / 1.1)
    span = math.log(max(values)) - low or 1.0
    return ["█" * max(1, round(width * (math.log(max(value, 0.1)) - low) / span)) for value in values]


def _parse_url(url: str) -> SplitResult:
    target = urlsplit(url if "://" in url else f"http://{url}")
    try:
        valid = target.scheme in {"http", "https"} and bool(target.hostname) and target.port != 0
    except ValueError:
        valid = False
    if not valid:
        fail(f"{url} is not an http:// or https:// address", USAGE)
    return target


def _run_with_progress(name: str, duration: float, run: Callable[[Callable[[float], None]], Figures]) -> Figures:
    """Call `run` with a function that takes the elapsed seconds and shows them as a progress bar on stderr."""
    from rich.console import Console  # noqa: PLC0415  0.1 s of imports that no other command should pay for
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"{name} generates load", total=duration)
        return run(lambda passed: progress.update(task, completed=min(passed, duration)))


def _show(target: SplitResult, name: str, connections: int, figures: Figures) -> None:
    from rich.console import Console  # noqa: PLC0415

    console = Console(highlight=False)
    console.print(f"[bold]{target.geturl()}[/bold], {connections} connections, {figures.seconds:.1f} s, load by {name}")
    megabytes = figures.bytes_in / 1e6 / figures.seconds if figures.seconds else 0.0
    console.print(f"{figures.requests:,} requests answered: {figures.rate:,.0f} a second, {megabytes:,.1f} MB/s")
    if figures.percentiles:
        console.print(_latency_table(figures))
    if figures.failed:
        classes = ", ".join(f"{count:,} {name}" for name, count in figures.errors.items() if count)
        console.print(f"[red]{figures.failed:,} errors[/red]: {classes}")
    else:
        console.print("no errors")


def _latency_table(figures: Figures) -> Table:
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, header_style="bold", padding=(0, 1))
    table.add_column("latency")
    table.add_column("ms", justify="right")
    table.add_column("logarithmic", style="cyan")
    shown = sorted(figures.percentiles.items())
    for (percentile, micros), bar in zip(shown, bars([value for _, value in shown]), strict=True):
        table.add_row("largest" if percentile == 100 else f"p{percentile:g}", f"{micros / 1000:,.2f}", bar)
    return table
