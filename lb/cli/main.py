"""The `lb` command: a table of its subcommands, each imported only when it runs, so that `lb --help` is fast."""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from typing import Any, NamedTuple, NoReturn

import click

from lb import __version__, engine_problem
from lb.cli import standard_streams
from lb.cli.exits import FAILED, USAGE
from lb.cli.group import Group
from lb.cli.standard_streams import OutputError


class _Subcommand(NamedTuple):
    module: str
    summary: str
    attribute: str = ""


# The command in lb.cli.<module> has its own name there, unless an attribute is named; the summaries are here, so that
# listing them imports nothing.
_SUBCOMMANDS = {
    "serve": _Subcommand("lb.cli.serve", "Serve a configuration file, or one app named with --to."),
    "demo": _Subcommand("lb.cli.demo", "Serve a small demo app on localhost; needs no file."),
    "check": _Subcommand("lb.cli.check", "Report everything that is wrong with a configuration file."),
    "status": _Subcommand("lb.cli.status", "Show what the running service does."),
    "healthcheck": _Subcommand("lb.cli.healthcheck", "Check whether the service serves; the exit code says so."),
    "reload": _Subcommand("lb.cli.reload", "Apply a changed configuration file to the running service."),
    "upgrade": _Subcommand("lb.cli.upgrade", "Replace the running program with the version installed now."),
    "deploy": _Subcommand("lb.cli.deploy", "Deploy a project as a new version of an app."),
    "publish": _Subcommand("lb.cli.lifecycle", "Bring staging's version of an app to production."),
    "rollback": _Subcommand("lb.cli.lifecycle", "Have an app serve an earlier version again."),
    "releases": _Subcommand("lb.cli.releases", "Show the versions of an app."),
    "cancel": _Subcommand("lb.cli.lifecycle", "Cancel a deploy that is under way."),
    "attach": _Subcommand("lb.cli.lifecycle", "Follow a deploy that is under way."),
    "ps": _Subcommand("lb.cli.ps", "Show what runs of the deployed apps."),
    "logs": _Subcommand("lb.cli.logs", "Show what an app's instances write."),
    "env": _Subcommand("lb.cli.env", "Show and change an app's variables."),
    "restart": _Subcommand("lb.cli.lifecycle", "Start an app's instances anew, without an interruption."),
    "start": _Subcommand("lb.cli.lifecycle", "Start an app that was stopped."),
    "stop": _Subcommand("lb.cli.lifecycle", "End all instances of an app."),
    "scale": _Subcommand("lb.cli.lifecycle", "Run so many instances of an app."),
    "run": _Subcommand("lb.cli.run", "Run a command once, as an app would."),
    "init": _Subcommand("lb.cli.init", "Begin a project, or prepare one to be deployed."),
    "up": _Subcommand("lb.cli.up", "Run a project here, as the engine would."),
    "apps": _Subcommand("lb.cli.apps", "Look at deployed apps, and manage them."),
    "engine": _Subcommand("lb.cli.engine", "Start, stop and look at the engine, which runs deployed apps."),
    "doctor": _Subcommand("lb.cli.doctor", "Say what this machine can do for deployed apps."),
    "certs": _Subcommand("lb.cli.certs", "Show, renew and import certificates; trust the local authority."),
    "import": _Subcommand(
        "lb.cli.import_configuration",
        "Make a configuration of one for nginx, Caddy or Traefik.",
        "import_configuration",  # a name of Python may not be a word of it
    ),
    "config": _Subcommand("lb.cli.config", "Print an example configuration file, or the JSON Schema."),
    "bench": _Subcommand("lb.cli.bench", "Load-test a front door: latency, throughput and errors."),
    "help": _Subcommand("lb.cli.help", "Show this list, or the help of one command."),
    "version": _Subcommand("lb.cli.version", "Show the version, engine, event loop, TLS library and Python."),
}


class _LazyGroup(Group):
    def main(self, *arguments: Any, **options: Any) -> Any:
        """Runs the command; output that cannot be written ends it with a message, not a traceback."""
        standard_streams.prepare()
        if engine_problem is not None:
            self._give_up(str(engine_problem), USAGE if engine_problem.wrong_usage else FAILED)
        try:
            try:
                return super().main(*arguments, **options)
            finally:
                sys.stdout.flush()
        except OutputError as error:
            self._give_up(error.reason, FAILED)
        finally:
            standard_streams.give_up()

    @staticmethod
    def _give_up(reason: str, code: int) -> NoReturn:
        with suppress(OSError):
            if reason:
                click.echo(f"lb: {reason}", err=True)
        standard_streams.give_up()
        sys.exit(code)

    def list_commands(self, _: click.Context) -> list[str]:
        return list(_SUBCOMMANDS)

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        if name not in _SUBCOMMANDS:
            return None
        subcommand = _SUBCOMMANDS[name]
        command = getattr(import_module(subcommand.module), subcommand.attribute or name)
        assert isinstance(command, click.Command)  # noqa: S101  the table above is wrong otherwise
        return command

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in _SUBCOMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lb", message="%(prog)s %(version)s")
def main() -> None:
    """The front door for Python apps: an HTTP reverse proxy and load balancer.

    Exit codes: 0 success, 1 failure while running, 2 wrong usage, 3 done with findings, 78 bad configuration.
    """
