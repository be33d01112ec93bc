"""Groups of commands that suggest the nearest name. Nothing here knows a command."""

from __future__ import annotations

from difflib import get_close_matches

import click


class Group(click.Group):
    """Suggests the nearest command for an unknown name."""

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = arguments[0]
        if self.get_command(context, name) is None and not name.startswith("-"):
            raise click.UsageError(no_such_command(name, self, context), context)
        return super().resolve_command(context, arguments)


def no_such_command(name: str, group: click.Group, context: click.Context) -> str:
    """`There is no command "statsu". Did you mean status?`; if none is near, all of them."""
    known = group.list_commands(context)
    near = get_close_matches(name.lower(), known, n=1)
    text = f'There is no command "{name}".'
    return f"{text} Did you mean {near[0]}?" if near else f"{text} The commands are {', '.join(known)}."
