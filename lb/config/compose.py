"""A file's bytes → text, and text → a tree of YAML nodes that know where they stand: the only file with YAML's parser.

Parser events, not loaded objects: every value keeps its position, nothing is interpreted the YAML 1.1 way, and how deep
and how large a tree may be is decided before it is built. It must not know which file is read, nor its keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import yaml

from lb.config import tree
from lb.config.problems import ConfigErrors, Problem, Source, Span, printable, quoted
from lb.config.syntax import ParseFailure, explain_run_on, explain_stumble, too_deep

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is faster, but not always installed
_BYTE_ORDER_MARK = "\ufeff"
# Characters that are not printable in YAML 1.2 (section 5.1); some parsers report one without its place.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_YAML_TAG = "tag:yaml.org,2002:"  # what "!!" stands for
_TOO_DEEP = f"this is nested more than {tree.DEEPEST} levels deep"
_FLATTEN = "no key of lb is nested so deeply: remove brackets, or indent less"
_OPENING = ('"', "'", "[", "{")
_TAGS = {None, "!", *(_YAML_TAG + kind for kind in ("str", "seq", "map"))}


def decode(name: str, data: bytes) -> str:
    """UTF-8 text without control characters; a byte order mark at its start is accepted."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigErrors([Problem(printable(name), 1, 1, "this file is UTF-16", hint="save it as UTF-8")])
    try:
        text = data.decode().removeprefix(_BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        source = Source.of(name, data.decode(errors="replace"))
        span = _span_at(source, data[: error.start].decode())
        message = f"the byte 0x{data[error.start]:02x} is not UTF-8 text"
        raise ConfigErrors([source.problem(span, message, "save the file as UTF-8")]) from None
    if (found := _UNPRINTABLE.search(text)) is not None:
        source = Source.of(name, text)
        message = f"the control character U+{ord(found[0]):04X} is not allowed in a YAML file"
        raise ConfigErrors([source.problem(_span_at(source, text[: found.start()]), message, "remove it")])
    return text


def _span_at(source: Source, before: str) -> Span:
    """The span of the character after the text `before`."""
    lines = Source.of(source.name, before).lines
    return Span(len(lines) - 1, len(lines[-1]), len(lines[-1]) + 1)


def compose(source: Source, problems: list[Problem]) -> tree.Node:
    """The document of the source as nodes. Raises ConfigErrors if nothing after the mistake can be read."""
    composer = _Composer(source, problems)
    try:
        return composer.document(yaml.parse("\n".join(source.lines), Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark  # every scanner and parser error has one
        opening: Any = error.context_mark
        at_end = not any(source.lines[mark.line + 1 :]) and not source.line(mark.line)[mark.column :].strip()
        is_opening = at_end and opening is not None and source.line(opening.line).startswith(_OPENING, opening.column)
        line, column = (opening.line, opening.column) if is_opening else (mark.line, mark.column)
        if line >= len(source.lines):  # libyaml may report a line after the last one
            line, column = len(source.lines) - 1, len(source.lines[-1])
        if (deep := too_deep(source.line(line), column, tree.DEEPEST)) is not None:
            raise ConfigErrors([source.problem(Span(line, deep, deep + 1), _TOO_DEEP, _FLATTEN)]) from None
        stumble = ParseFailure(error.problem or "", error.context or "", source.line(line), column, is_opening)
        message, hint = explain_stumble(stumble)
        problems.append(source.problem(Span(line, column, column + 1), message, hint))
        raise ConfigErrors(problems) from None


class _Composer:
    """Parser events → nodes. Mistakes after which the rest is readable go to `problems`, others raise ConfigErrors."""

    def __init__(self, source: Source, problems: list[Problem]) -> None:
        self._source = source
        self._problems = problems
        self._anchors: dict[str, tree.Node | None] = {}  # None: its node is not complete yet

    def document(self, events: Iterator[Any]) -> tree.Node:
        next(events)  # the stream's start
        if isinstance(next(events), yaml.StreamEndEvent):
            return tree.Scalar(Span(0, 0, 1), "", plain=True)
        root = self._node(next(events), events, 0)
        next(events)  # the document's end
        following = next(events)
        if not isinstance(following, yaml.StreamEndEvent):
            self._report(self._span(following), "a second document starts here", "one file is one configuration")
        return root

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> tree.Node:
        span = self._span(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), span)
        if depth > tree.DEEPEST:
            self._report(span, _TOO_DEEP, _FLATTEN)
            raise ConfigErrors(self._problems)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        node: tree.Node
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event, span)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = tree.Sequence(span, list(self._items(events, depth)))
        else:
            items = self._items(events, depth)
            node = tree.MappingNode(span, list(zip(items, items, strict=True)))
        if event.tag not in _TAGS:
            tag = quoted(event.tag.replace(_YAML_TAG, "!!"))
            node = self._unreadable(span, f"the tag {tag} is not supported", "remove the text that begins with !")
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _items(self, events: Iterator[Any], depth: int) -> Iterator[tree.Node]:
        for event in events:
            if isinstance(event, yaml.CollectionEndEvent):
                return
            yield self._node(event, events, depth + 1)

    def _scalar(self, event: Any, span: Span) -> tree.Node:
        plain = not event.style and event.tag is None
        if plain and event.end_mark.line > event.start_mark.line and event.value:
            first, line = self._source.line(span.line)[span.column :], event.start_mark.line + 1
            return self._unreadable(span, *explain_run_on(first, line))
        return tree.Scalar(span, event.value, plain)

    def _alias(self, name: str, span: Span) -> tree.Node:
        if name not in self._anchors:
            hint = f'a value that begins with "*" needs quotes; an alias needs &{name} before the value it refers to'
            return self._unreadable(span, f"the alias {quoted('*' + name)} is not defined", hint)
        node = self._anchors[name]
        if node is None:
            return self._unreadable(span, f"the alias {quoted('*' + name)} refers to a value that contains it")
        return replace(node, span=span)

    def _unreadable(self, span: Span, message: str, hint: str = "") -> tree.Unreadable:
        self._report(span, message, hint)
        return tree.Unreadable(span)

    def _report(self, span: Span, message: str, hint: str = "") -> None:
        self._problems.append(self._source.problem(span, message, hint))

    def _span(self, event: Any) -> Span:
        start, end = event.start_mark, event.end_mark
        return self._source.span((start.line, start.column), (end.line, end.column))
