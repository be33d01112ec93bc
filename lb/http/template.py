"""Text with placeholders, for fields and redirects: `https://{host}/{rest}`.

A template is read once, when the configuration is loaded, and filled in for each request. `{{` and `}}` are braces.
What is filled in comes from outside, so no control character of it survives: nothing can end a field's line. This file
does not know what the names stand for: its caller has the values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

PLACEHOLDERS = ("client", "host", "hostport", "path", "query", "request_id", "scheme")
"""What is known of every request; a route's own parameters come on top."""

_TOKEN = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}|[{}]")
_CONTROLS = re.compile(rb"[\x00-\x1f\x7f]")

Values = Callable[[str], bytes]
"""From the name of a placeholder to what it stands for in a request."""


class TemplateError(ValueError):
    """Text that is no template. The second argument says what to write."""


class Template:
    """What stands between placeholders, and their names, in turns: `texts` has one more than `names`."""

    __slots__ = ("names", "texts")

    def __init__(self, texts: tuple[bytes, ...], names: tuple[str, ...]) -> None:
        self.texts = texts
        self.names = names

    def fill(self, values: Values) -> bytes:
        """The text for one request."""
        if not self.names:
            return self.texts[0]
        parts = [self.texts[0]]
        for name, text in zip(self.names, self.texts[1:], strict=True):
            parts.append(_CONTROLS.sub(b"", values(name)))
            parts.append(text)
        return b"".join(parts)


def parse_template(text: str, names: Collection[str] = PLACEHOLDERS) -> Template:
    """The template that `text` is; `names` may stand in braces. Characters beyond ASCII are UTF-8.

    Raises TemplateError for other names, for a brace alone, and for a control character.
    """
    if _CONTROLS.search(text.encode()) is not None:
        raise TemplateError("the text has a control character or a line end", "write it on one line")
    texts: list[bytes] = []
    found: list[str] = []
    piece = ""
    at = 0
    for match in _TOKEN.finditer(text):
        piece += text[at : match.start()]
        at = match.end()
        if match[0] in ("{{", "}}"):
            piece += match[0][0]
        elif match[1] is None:
            raise TemplateError(f"there is a brace alone in {text!r}", f"write {match[0] * 2} for a brace")
        elif match[1] not in names:
            known = ", ".join(f"{{{name}}}" for name in sorted(names))
            raise TemplateError(f"there is no placeholder {match[0]}", f"use {known}; write {{{{ for a brace")
        else:
            texts.append(piece.encode())
            found.append(match[1])
            piece = ""
    return Template((*texts, (piece + text[at:]).encode()), tuple(found))
