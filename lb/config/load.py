"""A configuration file → a checked Config, or one ConfigErrors with all that is wrong.

This file knows which file is read, and what stands for one; compose.py knows YAML, validate.py the model.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from lb.config import names
from lb.config.compose import compose, decode
from lb.config.model import Config, Domain
from lb.config.plan import Plan, make_plan
from lb.config.problems import ConfigErrors, Origin, Place, Problem, Source, Span, printable
from lb.config.regular import read_soon
from lb.config.tree import AliasBombError, Reader
from lb.config.validate import validate

_LARGEST_FILE = 8 << 20  # bytes; ten thousand domains take less than one
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
    source = Source.of(name, decode(name, data))
    reader = Reader(source, environ)
    node = compose(source, reader.problems)
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
