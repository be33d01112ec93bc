"""`lb doctor --engine`: what this machine can do for deployed apps, and the command that adds what it lacks."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from lb.apps.run.isolation import probe

_UNTRIED = (
    "quotas that end in EDQUOT (project quotas of XFS and ext4)",
    "limits by cgroup v2 where nothing is delegated",
    "Pythons that uv downloads",
    "macOS",
)


@click.command()
@click.option("--engine", is_flag=True, help="Look at what deployed apps need of this machine.")
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
def doctor(*, engine: bool, as_json: bool) -> None:
    """Say what this machine can do for deployed apps, which isolation they get, and what would add the next.

    It tries each way to isolate an app, for a moment, as this user.
    """
    if not engine:
        raise click.UsageError("Say what to look at: lb doctor --engine.")
    found = probe()
    if as_json:
        findings = [asdict(one) for one in found.findings]
        click.echo(json.dumps({"isolation": found.rung.value, "findings": findings, "untried": _UNTRIED}, indent=2))
        return
    click.echo(f"Apps run with isolation: {click.style(found.rung.value, bold=True)}")
    for one in found.findings:
        click.echo(f"  {'yes' if one.ok else 'no ':<4} {one.name}: {one.sentence}")
        if one.command and not one.ok:
            click.echo(f"       {one.command}")
    click.echo(f"Not tried by lb's own tests: {'; '.join(_UNTRIED)}.")
