"""A configuration file → a checked Config: the only file that knows YAML's parser.

It uses parser events, not loaded objects: every value keeps its position, nothing is interpreted the YAML 1.1 way, and
the depth and size of the tree are bounded before it is built. The result is the model, or one ConfigErrors with all
errors.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import yaml

from lb.config import names, tree
from lb.config.model import Config, Domain
from lb.config.plan import Plan, make_plan
from lb.config.problems import ConfigErrors, Origin, Place, Problem, Source, Span, printable, quoted
from lb.config.regular import read_soon
from lb.config.syntax import Stumble, explain_run_on, explain_stumble, too_deep
from lb.config.tree import AliasBombError, Reader
from lb.config.validate import validate

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is faster, but not always installed
_LARGEST_FILE = 8 << 20  # bytes; ten thousand domains take less than one
_BYTE_ORDER_MARK = "\ufeff"
# Characters that are not printable in YAML 1.2 (section 5.1); some parsers report one without its place.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_YAML_TAG = "tag:yaml.org,2002:"  # what "!!" stands for
_TOO_DEEP = f"this is nested more than {tree.DEEPEST} levels deep"
_FLATTEN = "no key of lb is nested so deeply: remove brackets, or indent less"
_OPENING = ('"', "'", "[", "{")
_TAGS = {None, "!", *(_YAML_TAG + kind for kind in ("str", "seq", "map"))}
_ALIKE = 0.75  # similarity of a misspelling: sohp and shop have it, web and lb do not


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid configuration, its warnings, and where its values are written."""

    plan: Plan
    warnings: tuple[Problem, ...]
    origin: Origin

    @property
    def config(self) -> Config:
        return self.plan.config


def load_file(path: Path, environ: Mapping[str, str]) -> Loaded:
    """Reads the file at `path`; variables come from `environ`. Raises ConfigErrors with all errors."""
    try:
        data = read_soon(path, _LARGEST_FILE + 1)
    except IsADirectoryError:
        inside = _configurations(path)[:1]
        _refuse_file(str(path), "this is a directory, not a file", f"did you mean {inside[0]}?" if inside else "")
    except FileNotFoundError:
        near = _near(path)
        _refuse_file(str(path), "there is no such file", f"did you mean {near}?" if near is not None else "")
    except PermissionError:
        _refuse_file(str(path), "this file may not be read", "give the user that runs lb read permission")
    except (OSError, ValueError) as error:
        _refuse_file(str(path), f"this file cannot be read: {error.strerror if isinstance(error, OSError) else error}")
    if len(data) > _LARGEST_FILE:
        _refuse_file(str(path), f"this file is larger than {_LARGEST_FILE >> 20} MiB")
    return load_bytes(str(path), data, environ)


def load_bytes(name: str, data: bytes, environ: Mapping[str, str]) -> Loaded:
    """Reads a configuration file's content; `name` stands for the file in messages. Raises ConfigErrors."""
    source = Source.of(name, _decode(name, data))
    reader = Reader(source, environ)
    node = _compose(source, reader.problems)
    try:
        value = reader.read(node)
    except AliasBombError:
        message = "the aliases (*name) of this file expand too far"
        raise ConfigErrors([source.problem(Span(0, 0, 1), message, "write the values out")]) from None
    return _checked(value, reader.origin, reader.problems)


def config_for_instances(to: Sequence[str], domains: Sequence[str], http: str) -> Config:
    """One app named "app" with the instances `to`, on the listener `http`; without `domains` it serves every host.

    Raises ConfigErrors; its problems point into the options --to, --domain and --http.
    """
    options = [("--http", http), *(("--to", text) for text in to), *(("--domain", text) for text in domains)]
    source = Source("lb serve", tuple(f"{option} {text}" for option, text in options), numbered=False)
    origin = Origin(source)
    instances = ("apps", "app", "production", "instances")
    paths = [("listen", "http"), *((*instances, index) for index in range(len(to)))]
    paths += [("apps", "app", "domains", index) for index in range(len(domains))]
    for line, (path, (option, text)) in enumerate(zip(paths, options, strict=True)):
        span = Span(line, len(option) + 1, len(option) + 1 + max(1, len(text)))
        origin.places[path] = Place(span, span)
    every_host = Domain.model_construct(name=names.CATCH_ALL, force_https=False, cdn=False, compression=True)
    app: dict[str, object] = {"domains": list(domains) or [every_host], "production": {"instances": list(to)}}
    return _checked({"listen": {"http": http}, "apps": {"app": app}}, origin, []).config


def _checked(value: object, origin: Origin, found: list[Problem]) -> Loaded:
    config, problems = validate(value, origin)
    problems += found
    errors = [problem for problem in problems if problem.level == "error"]
    warnings = [problem for problem in problems if problem.level == "warning"]
    failure = ConfigErrors(errors, warnings)
    if errors or config is None:
        raise failure
    return Loaded(make_plan(config), failure.warnings, origin)


def _decode(name: str, data: bytes) -> str:
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


def _compose(source: Source, problems: list[Problem]) -> tree.Node:
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
        stumble = Stumble(error.problem or "", error.context or "", source.line(line), column, is_opening)
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


def _refuse_file(name: str, message: str, hint: str = "") -> NoReturn:
    raise ConfigErrors([Problem(printable(name), 0, 0, message, hint=printable(hint))])


def _near(missing: Path) -> Path | None:
    """The configuration that was probably meant: one with a similar name, not just any other file."""
    stems = {path.stem: path for path in _configurations(missing.parent)}
    near = difflib.get_close_matches(missing.stem, stems, n=1, cutoff=_ALIKE)
    return stems[near[0]] if near else None


def _configurations(directory: Path) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if path.suffix in {".yaml", ".yml"})
    except OSError:
        return []
