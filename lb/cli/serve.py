"""`lb serve`: runs a configuration file, or one app named by its instances, as a service."""

from __future__ import annotations

import logging
import os
from functools import partial
from pathlib import Path

import click

from lb.cli.check import check_certificates
from lb.cli.descriptors import descriptor_warnings
from lb.cli.exits import USAGE
from lb.cli.running import refuse, serve_config, show_problems
from lb.config.load import config_for_instances, load_file
from lb.config.plan import Plan, make_plan
from lb.config.problems import ConfigErrors
from lb.control.supervisor import Stopping
from lb.telemetry.stderr import install_stderr
from lb.tls.handshake.contexts import Contexts

log = logging.getLogger("lb.cli")

_HTTP = "127.0.0.1:8080"


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--to", "instances", metavar="ADDRESS", multiple=True, help="An instance of the app; may be repeated.")
@click.option("--domain", "domains", metavar="NAME", multiple=True, help="Serve this name only; may be repeated.")
@click.option("--http", metavar="ADDRESS", help=f"Where to listen for HTTP with --to; {_HTTP} if not given.")
def serve(file: Path | None, instances: tuple[str, ...], domains: tuple[str, ...], http: str | None) -> None:
    """Serve the configuration in FILE or, without a file, one app whose instances are named with --to.

    SIGHUP applies a changed FILE; a wrong one changes nothing. SIGTERM or Ctrl-C drains: running requests finish. A
    second one stops at once. SIGUSR1 reopens the access log. SIGUSR2 upgrades, like `lb upgrade`.
    """
    if (file is None) == (not instances):
        raise click.UsageError("Name either a configuration FILE or an app's instances with --to.")
    install_stderr()  # before any message about the file
    if file is None:
        status = serve_config(_from_options(instances, domains, http or _HTTP), Stopping())
    elif domains or http:
        raise click.UsageError("--domain and --http belong to --to; with a FILE, both are set in the file.")
    else:
        contexts = Contexts()
        source = partial(_read_again, file)
        status = serve_config(_from_file(file, contexts), Stopping(), file, source=source, contexts=contexts)
    raise click.exceptions.Exit(status)


def _from_file(file: Path, contexts: Contexts) -> Plan:
    try:
        loaded = load_file(file, os.environ)
        show_problems((*loaded.warnings, *check_certificates(loaded, contexts)))
    except ConfigErrors as errors:
        refuse(errors)
    return loaded.plan


def _read_again(file: Path, contexts: Contexts) -> Plan:
    """The current content of the file, for a running service. Raises ConfigErrors."""
    loaded = load_file(file, os.environ)
    for problem in (*loaded.warnings, *check_certificates(loaded, contexts), *descriptor_warnings(loaded)):
        log.warning("%s", problem)
    return loaded.plan


def _from_options(instances: tuple[str, ...], domains: tuple[str, ...], http: str) -> Plan:
    try:
        return make_plan(config_for_instances(instances, domains, http))
    except ConfigErrors as errors:
        refuse(errors, USAGE)
