"""The errors of the model → problems at their places, worded for an operator.

This file knows the model's shape, to name the right key for a wrong one; messages about values come from units.py,
names.py or addresses.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from lb.config.absent import ABSENT_KEYS
from lb.config.migration_hints import FOREIGN_IN, FOREIGN_KEYS, SHAPES
from lb.config.model import Config
from lb.config.problems import KeyPath, Origin, Problem, dotted, quoted
from lb.config.redaction import shows
from lb.config.suggest import all_of, any_of, nearest, snake_case
from lb.config.tree import Blank
from lb.config.units import BadValueError, Expanded, Plain, describe

_APPS = "write a name for each app: {shop: {domains: …, production: …}}"
_MOST_KEYS = 12  # of a section that are listed individually
_LIKE_ENOUGH = 0.7
_LIKE_ENOUGH_ELSEWHERE = 0.9  # other sections are searched only for a key with nearly the same spelling


def explain_error(error: ErrorDetails, origin: Origin) -> Problem | None:
    """The problem behind one error of the model; None for one that was reported while reading."""
    path = tuple(error["loc"])
    kind, value = error["type"], error["input"]
    if kind == "extra_forbidden":
        message, hint = _unknown_key(path)
        return origin.key_problem(path, message, hint)
    if value is Blank.REPORTED:
        return None
    if kind == "missing":
        return _missing_key(path, origin)
    if value is Blank.EMPTY and not path:
        return origin.problem(path, "this file is empty", "`lb config example` prints one to start with")
    if value is Blank.EMPTY:
        return origin.key_problem(path, f"{origin.name(path)} has no value", _about_empty(path, origin))
    if path[-1:] == ("[key]",):
        message, hint = _bad_value(error)
        return origin.key_problem(path[:-1], message, hint)
    message, hint = _without_variables(value, *_bad_value(error))
    name = origin.name(path)
    return origin.problem(path, f"{name}: {message}" if name else message, hint)


def _without_variables(value: object, message: str, hint: str) -> tuple[str, str]:
    """The same text if it reveals nothing of a variable's value, else a neutral one."""
    if not isinstance(value, Expanded):
        return message, hint
    message = message.replace(quoted(value.strip()), quoted(value))
    if shows(message.replace(value.written, ""), value):
        message = f"the value of {quoted(value)} is not allowed here"
    return message, "check the value of the variable" if shows(hint, value) else hint


def _about_empty(path: KeyPath, origin: Origin) -> str:
    """The hint for a section without content; usually, its content is not indented."""
    below = origin.source.line(origin.place(path).key.line + 1).strip().partition(":")[0]
    if below in _section(path).model_fields:
        return f"indent {quoted(below)}, and everything else in this section, further than this line"
    return "give it a value, or remove the line"


def _bad_value(error: ErrorDetails) -> tuple[str, str]:
    value, kind = describe(error["input"]), error["type"]
    raised = error.get("ctx", {}).get("error")
    if isinstance(raised, BadValueError):
        return raised.message, raised.hint
    if kind in {"model_type", "dict_type", "model_attributes_type"}:
        section = _section(tuple(error["loc"]))
        shape = SHAPES.get(section.__name__, f"the keys are {_keys_of(section)}") if kind == "model_type" else _APPS
        return f"keys and values are expected here, not {value}", _about_space(error["input"]) or shape
    if kind == "string_type":
        return f"text is expected here, not {value}", ""
    return f"{value} is not allowed here", ""


def _about_space(value: object) -> str:
    """A hint for `key:value`, which is a single word in YAML."""
    key, colon, rest = value.partition(":") if isinstance(value, Plain) else ("", "", "")
    is_meant = colon and rest and nearest(key, _all_keys(), _LIKE_ENOUGH_ELSEWHERE)
    return f"a space is missing: write {key}: {rest}" if is_meant else ""


def _missing_key(path: KeyPath, origin: Origin) -> Problem:
    *around, key = path
    parent = tuple(around)
    where = dotted(parent)
    hint = f"the keys are {_keys_of(_section(parent))}"
    return origin.problem(parent, f"{where} lacks the key {quoted(key)}", hint)


def _unknown_key(path: KeyPath) -> tuple[str, str]:
    """The message and hint for an unknown key: another proxy's key, a similar name here, or one elsewhere."""
    *around, last = path
    key, section = str(last), _section(tuple(around))
    where = f" in {dotted(tuple(around))}" if around else ""
    word = snake_case(key)
    if hint := FOREIGN_IN.get(section.__name__, {}).get(word):
        return f"unknown key {quoted(key)}{where}", hint
    if near := nearest(key, section.model_fields, _LIKE_ENOUGH_ELSEWHERE):
        return f"unknown key {quoted(key)}{where}: did you mean {quoted(near)}?", ""
    if foreign := FOREIGN_KEYS.get(word):
        return f"unknown key {quoted(key)}{where}", f"in lb this is {foreign}"
    if absent := ABSENT_KEYS.get(word):
        return f"unknown key {quoted(key)}{where}", absent
    if near := nearest(key, section.model_fields, _LIKE_ENOUGH):
        return f"unknown key {quoted(key)}{where}: did you mean {quoted(near)}?", ""
    everywhere = _all_keys()
    if near := nearest(key, everywhere, _LIKE_ENOUGH_ELSEWHERE):
        return f"unknown key {quoted(key)}{where}", f"{quoted(near)} belongs {any_of(everywhere[near])}"
    return f"unknown key {quoted(key)}{where}", f"the keys here are {_keys_of(section)}"


def _keys_of(section: type[BaseModel]) -> str:
    """The keys of a section; of many, those with the same prefix are grouped."""
    keys = list(section.model_fields)
    if len(keys) <= _MOST_KEYS:
        return all_of(keys)
    starts = Counter(key.partition("_")[0] for key in keys)
    shown = dict.fromkeys(f"{start}_*" if starts[start := key.partition("_")[0]] > 1 else key for key in keys)
    return f"{all_of(shown)}; `lb config example` shows each"


def _section(path: KeyPath) -> type[BaseModel]:
    """The section of the model with the keys at `path`."""
    section: type[BaseModel] = Config
    parts = iter(path)
    for part in parts:
        if isinstance(part, str) and (found := section.model_fields.get(part)) is not None:
            inner = _model_in(found.annotation)
            section = inner or section
            if part == "apps":
                next(parts, None)  # an app's name, which is not a key of the model
    return section


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The section inside an annotation such as tuple[Annotated[Domain, …], …] | None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for argument in get_args(annotation) if (found := _model_in(argument))), None)


@cache
def _all_keys() -> Mapping[str, list[str]]:
    """Every key of the file → its place: `under limits`."""
    keys: dict[str, list[str]] = {}
    for key, where in _keys_under(Config, ""):
        keys.setdefault(key, []).append(where)
    return keys


def _keys_under(section: type[BaseModel], where: str) -> Iterator[tuple[str, str]]:
    for key, found in section.model_fields.items():
        yield key, f"under {where}" if where else "at the top of the file, not indented"
        inner = _model_in(found.annotation)
        if inner is not None and not _is_written_as_text(inner):
            path = f"{where}.{key}" if where else key
            yield from _keys_under(inner, f"{path}.<name>" if key == "apps" else path)


def _is_written_as_text(section: type[BaseModel]) -> bool:
    """Whether the section is written as one text, such as an address, so that its fields are not keys of the file."""
    return section.__name__.endswith("Address")
