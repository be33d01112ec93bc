"""The syntax of a Caddyfile: text → lines of words, with the blocks that they open.

Quotes, backticks, heredocs, comments and continued lines, as Caddy's own reader takes them. Variables of the
environment become those of lb: `{$NAME:value}` is `${NAME:-value}`. This file knows no directive.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from lb.importing.source_line import SourceLine, UnreadableSourceError

_DEEPEST = 50
_VARIABLE = re.compile(r"\{\$([A-Za-z_][A-Za-z0-9_]*)(?::([^{}\n]*))?\}")


@dataclass(frozen=True, slots=True)
class CaddyLine:
    """One line: its words without quotes, and its block if it opens one."""

    words: tuple[str, ...]
    at: SourceLine
    block: tuple[CaddyLine, ...] | None = None

    @property
    def name(self) -> str:
        return self.words[0] if self.words else ""

    @property
    def rest(self) -> tuple[str, ...]:
        return self.words[1:]

    def written(self) -> str:
        """The line without its block, for messages."""
        return " ".join(self.words)


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    line: int
    end: int  # the line on which it ends
    quoted: bool = False


def parse_caddyfile(name: str, text: str) -> tuple[CaddyLine, ...]:
    """The lines of a file: sites, snippets and options at the top. Raises UnreadableSourceError."""
    words = _Words(name, _VARIABLE.sub(_variable, text.removeprefix("\ufeff"))).all()
    return _Lines(name, words).top()


def _variable(found: re.Match[str]) -> str:
    return f"${{{found[1]}}}" if found[2] is None else f"${{{found[1]}:-{found[2]}}}"


class _Words:
    """Text → words. Lines that a backslash continues count as one."""

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._text = text
        self._at = 0
        self._line = 1
        self._continued = 0  # line ends that a backslash took away, since the logical line began

    def all(self) -> list[_Word]:
        words: list[_Word] = []
        text = self._text
        while self._at < len(text):
            character = text[self._at]
            if character == "\n":
                self._line += 1 + self._continued
                self._continued = 0
                self._at += 1
            elif character.isspace():
                self._at += 1
            elif text.startswith(("\\\n", "\\\r\n"), self._at):
                self._at = text.index("\n", self._at) + 1
                self._continued += 1
            elif character == "#":
                end = text.find("\n", self._at)
                self._at = len(text) if end < 0 else end
            elif character in '"`':
                words.append(self._quoted(character))
            elif (found := re.compile(r"<<([A-Za-z0-9_-]+)\r?\n").match(text, self._at)) is not None:
                words.append(self._heredoc(found))
            else:
                words.append(self._bare())
        return words

    def _quoted(self, quote: str) -> _Word:
        line = self._line
        pieces: list[str] = []
        at = self._at + 1
        while at < len(self._text) and self._text[at] != quote:
            if quote == '"' and self._text.startswith('\\"', at):
                at += 1
            self._line += self._text[at] == "\n"
            pieces.append(self._text[at])
            at += 1
        if at >= len(self._text):
            refuse(self._name, line, "the quotation that begins here does not end")
        self._at = at + 1
        return _Word("".join(pieces), line, self._line, quoted=True)

    def _heredoc(self, found: re.Match[str]) -> _Word:
        line = self._line
        end = re.compile(rf"^[ \t]*{re.escape(found[1])}\b", re.MULTILINE).search(self._text, found.end())
        if end is None:
            refuse(self._name, line, f"the text that begins here has no {found[1]} at its end")
        text = self._text[found.end() : end.start()]
        self._line += text.count("\n") + 1
        self._at = end.end()
        return _Word(text.rstrip("\n"), line, self._line, quoted=True)

    def _bare(self) -> _Word:
        start = self._at
        while self._at < len(self._text) and not self._text[self._at].isspace():
            self._at += 1
        return _Word(self._text[start : self._at], self._line, self._line)


class _Lines:
    """Words → lines and blocks."""

    def __init__(self, name: str, words: list[_Word]) -> None:
        self._name = name
        self._words = words
        self._at = 0

    def top(self) -> tuple[CaddyLine, ...]:
        found: list[CaddyLine] = []
        while self._at < len(self._words):
            line = self._line(0, top=True)
            if line is None:
                refuse(self._name, self._words[self._at].line, 'there is a "}" without a "{"')
            is_site = line.block is None and line.name != "import"
            if is_site:  # the only site of a file needs no braces
                line = CaddyLine(line.words, line.at, self._block(0, line.at.line, closed=False))
            found.append(line)
        return tuple(found)

    def _block(self, depth: int, opened: int, *, closed: bool) -> tuple[CaddyLine, ...]:
        if depth > _DEEPEST:
            refuse(self._name, opened, f"blocks are nested more than {_DEEPEST} deep")
        lines: list[CaddyLine] = []
        while self._at < len(self._words):
            line = self._line(depth)
            if line is None:
                if not closed:
                    refuse(self._name, self._words[self._at].line, 'there is a "}" without a "{"')
                self._at += 1
                return tuple(lines)
            lines.append(line)
        if closed:
            refuse(self._name, opened, 'the block that begins here has no "}"')
        return tuple(lines)

    def _line(self, depth: int, *, top: bool = False) -> CaddyLine | None:
        """The next line; None at the end of a block. At the top, addresses go on after a comma."""
        first = self._words[self._at]
        if first.text == "}" and not first.quoted:
            return None
        words: list[_Word] = []
        while self._at < len(self._words):
            word = self._words[self._at]
            joined = top and words and words[-1].text.endswith(",")
            if words and word.line != words[-1].end and not joined:
                break
            self._at += 1
            ends = self._at == len(self._words) or self._words[self._at].line != word.end
            if word.text == "{" and not word.quoted and (ends or not words):
                at = SourceLine(self._name, (words or [word])[0].line)
                return CaddyLine(_texts(words), at, self._block(depth + 1, word.line, closed=True))
            words.append(word)
        return CaddyLine(_texts(words), SourceLine(self._name, words[0].line))


def _texts(words: list[_Word]) -> tuple[str, ...]:
    return tuple(word.text for word in words)


def refuse(name: str, line: int, message: str) -> NoReturn:
    """Ends the import."""
    raise UnreadableSourceError(SourceLine(name, line), message)
