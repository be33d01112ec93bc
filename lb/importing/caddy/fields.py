"""`header`, `request_header`, `header_up` and `header_down` → `headers`."""

from __future__ import annotations

from lb.importing import values
from lb.importing.caddy.placeholders import template
from lb.importing.caddy.syntax import CaddyLine
from lb.importing.draft import Settings
from lb.importing.omissions import Omissions, Weight

# Sent by itself, in a form that no client can forge.
_ALWAYS = frozenset(("x-real-ip", "x-forwarded-for", "x-forwarded-proto", "forwarded", "connection", "upgrade", "via"))
_HOSTS = frozenset(("{host}", "{hostport}", "{http.request.host}", "{http.request.hostport}"))
_ACTIONS = {"+": "add", "?": "default", ">": "set"}


class CaddyFields:
    """Puts header fields into settings."""

    def __init__(self, omissions: Omissions) -> None:
        self._omissions = omissions

    def block(self, side: str, line: CaddyLine, arguments: tuple[str, ...], settings: Settings) -> None:
        """A directive: one field in its arguments, or one a line."""
        if arguments:
            self.one(side, arguments, line, settings)
        for one in line.block or ():
            if one.words not in (("defer",), ("match",)):
                self.one(side, one.words, one, settings)

    def one(self, side: str, words: tuple[str, ...], line: CaddyLine, settings: Settings) -> None:
        name, *more = words or ("",)
        name = name.removesuffix(":")
        if len(more) > 1:
            self._omit(line, "parts of a value are not replaced")
        elif name.startswith("-"):
            self._remove(side, name[1:], line, settings)
        elif not more:
            self._omit(line, "it has no value")
        else:
            sign = name[:1]
            bare = name[1:] if sign in _ACTIONS else name
            self._put(side, _ACTIONS.get(sign, "set"), (bare, more[0]), line, settings)

    def _remove(self, side: str, name: str, line: CaddyLine, settings: Settings) -> None:
        if "*" in name:
            self._omit(line, "fields are removed by their whole names")
            return
        if side == "request" and name.lower() in _ALWAYS:
            return
        self._note(line, values.remove_field(settings, side, name, line.at))

    def _put(self, side: str, action: str, field: tuple[str, str], line: CaddyLine, settings: Settings) -> None:
        name, text = field
        if side == "request" and (name.lower() in _ALWAYS or (name.lower() == "host" and text in _HOSTS)):
            return
        if side == "request" and name.lower() == "host":
            self._omit(line, "apps get the client's own Host", "let the app accept that name")
            return
        value = template(text)
        if value is None:
            self._omit(line, "no such placeholder", "write what it stands for")
        else:
            self._note(line, values.put_field(settings, side, action, (name, value), line.at))

    def _note(self, line: CaddyLine, reason: str | None) -> None:
        if reason is not None:
            self._omit(line, reason)

    def _omit(self, line: CaddyLine, message: str, hint: str = "") -> None:
        self._omissions.add(Weight.BEHAVIOUR, line.at, f"{line.written()}: {message}", hint)
