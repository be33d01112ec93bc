"""`lb help`: the list of commands, or the help of one of them."""

from __future__ import annotations

import click

from lb.cli.group import no_such_command


@click.command(add_help_option=True)
@click.argument("command", nargs=-1)
@click.pass_context
def help(context: click.Context, command: tuple[str, ...]) -> None:  # noqa: A001  the command's name
    """Show the list of commands, or the help of COMMAND, such as `lb help serve` or `lb help certs list`."""
    shown = context.find_root()
    for name in command:
        group = shown.command
        if not isinstance(group, click.Group):
            raise click.UsageError(f'"{shown.command_path}" has no subcommands.', context)
        found = group.get_command(shown, name)
        if found is None:
            raise click.UsageError(no_such_command(name, group, shown), context)
        shown = click.Context(found, parent=shown, info_name=name)
    click.echo(shown.get_help())
