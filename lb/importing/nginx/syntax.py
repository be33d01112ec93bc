"""nginx's configuration language: text → directives with their lines.

Words, quotes, variables in braces, comments and blocks, as nginx's own reader takes them. This file knows no directive,
except that the code in blocks of Lua has another syntax and is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from lb.importing.source_line import SourceLine, UnreadableSourceError

_DEEPEST = 50
_BLANK = " \t\r\n"
_ESCAPES = {"t": "\t", "r": "\r", "n": "\n", '"': '"', "'": "'", "\\": "\\"}
_CODE = "_by_lua_block"


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive: its name, its arguments without quotes, and its block if it has one."""

    name: str
    arguments: tuple[str, ...]
    at: SourceLine
    block: tuple[Directive, ...] | None = None

    def first(self) -> str:
        """The first argument, "" without one."""
        return self.arguments[0] if self.arguments else ""

    def written(self) -> str:
        """The directive as one line, for messages."""
        return " ".join((self.name, *self.arguments))


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    line: int
    mark: bool  # one of ; { }


def parse(name: str, text: str) -> tuple[Directive, ...]:
    """The directives of a file. Raises UnreadableSourceError."""
    return _Parser(name, text).directives()


class _Parser:
    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._text = text.removeprefix("\ufeff")
        self._at = 0
        self._line = 1

    def directives(self) -> tuple[Directive, ...]:
        return tuple(self._block(0, 0))

    def _block(self, depth: int, opened: int) -> Iterator[Directive]:
        if depth > _DEEPEST:
            self._refuse(opened, f"blocks are nested more than {_DEEPEST} deep")
        words: list[_Token] = []
        while (token := self._token()) is not None:
            if not token.mark:
                words.append(token)
            elif token.text == "}":
                if words:
                    self._refuse(words[0].line, f'the directive "{words[0].text}" has no ";" at its end')
                if not depth:
                    self._refuse(token.line, 'there is a "}" without a "{"')
                return
            elif not words:
                self._refuse(token.line, f'there is a "{token.text}" without a directive')
            else:
                yield self._directive(words, token, depth)
                words = []
        if words:
            self._refuse(words[0].line, f'the directive "{words[0].text}" has no ";" at its end')
        if depth:
            self._refuse(opened, 'the block that begins here has no "}"')

    def _directive(self, words: list[_Token], end: _Token, depth: int) -> Directive:
        name, *rest = words
        block: tuple[Directive, ...] | None = None
        if end.text == "{":
            if name.text.endswith(_CODE):
                self._skip_code(end.line)
                block = ()
            else:
                block = tuple(self._block(depth + 1, end.line))
        return Directive(name.text, tuple(word.text for word in rest), SourceLine(self._name, name.line), block)

    def _token(self) -> _Token | None:
        text = self._text
        while self._at < len(text):
            character = text[self._at]
            if character == "#":
                end = text.find("\n", self._at)
                self._at = len(text) if end < 0 else end
            elif character in _BLANK:
                self._line += character == "\n"
                self._at += 1
            elif character in ";{}":
                self._at += 1
                return _Token(character, self._line, mark=True)
            elif character in "\"'":
                return self._quoted(character)
            else:
                return self._bare()
        return None

    def _quoted(self, quote: str) -> _Token:
        line = self._line
        self._at += 1
        pieces: list[str] = []
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == quote:
                self._at += 1
                return _Token("".join(pieces), line, mark=False)
            pieces.append(self._character())
        self._refuse(line, "the quotation that begins here does not end")
        return None

    def _bare(self) -> _Token:
        line = self._line
        pieces: list[str] = []
        while self._at < len(self._text):
            character = self._text[self._at]
            if character in _BLANK or character == ";":
                break
            if character == "{":
                if not pieces or pieces[-1] != "$":
                    break
                end = self._text.find("}", self._at)
                if end < 0:
                    self._refuse(self._line, "the variable that begins here does not end")
                pieces.append(self._text[self._at : end + 1])
                self._at = end + 1
                continue
            pieces.append(self._character())
        return _Token("".join(pieces), line, mark=False)

    def _character(self) -> str:
        """The next character; a backslash stays, unless it stands before a quote or names a control character."""
        character = self._text[self._at]
        self._at += 1
        if character == "\\" and self._at < len(self._text):
            following = self._text[self._at]
            self._line += following == "\n"
            self._at += 1
            return _ESCAPES.get(following, character + following)
        self._line += character == "\n"
        return character

    def _skip_code(self, opened: int) -> None:
        depth = 1
        while depth:
            if self._at >= len(self._text):
                self._refuse(opened, 'the block that begins here has no "}"')
            character = self._text[self._at]
            depth += (character == "{") - (character == "}")
            self._line += character == "\n"
            self._at += 1

    def _refuse(self, line: int, message: str) -> NoReturn:
        raise UnreadableSourceError(SourceLine(self._name, line), message)
