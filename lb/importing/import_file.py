"""What `lb import` does with a file: which language it is, its draft, and the text of the configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lb.importing.assemble import assemble
from lb.importing.caddy.read import read_caddyfile
from lb.importing.draft import Draft
from lb.importing.nginx.read import read_nginx
from lb.importing.omissions import Omission, Omissions
from lb.importing.source_line import SourceLine, UnreadableSourceError
from lb.importing.traefik.read import read_traefik
from lb.importing.yaml_text import yaml_text

Language = Literal["nginx", "caddy", "traefik"]
LANGUAGES: tuple[Language, ...] = ("nginx", "caddy", "traefik")
_YAML = (".yaml", ".yml")
_HEADING = """\
Imported from {names} by lb import: each line names the one that it comes from.
lb check says whether it can be served here.
"""


@dataclass(frozen=True, slots=True)
class Imported:
    """The text of a configuration of lb, what it leaves out, heaviest first, and files that it needs beside it."""

    text: str
    omissions: tuple[Omission, ...]
    files: Mapping[str, str]


def language_of(path: Path) -> Language:
    """The language of a file, by its name."""
    if "caddy" in path.name.lower():
        return "caddy"
    return "traefik" if path.suffix in _YAML else "nginx"


def import_files(paths: Sequence[Path], language: Language | None = None, directory: str = "") -> Imported:
    """The configuration that says what the files say; several only of compose files.

    Files that it needs beside it are named as in `directory` ("" or with a slash at its end). Raises
    UnreadableSourceError.
    """
    omissions = Omissions()
    draft = Draft(directory=directory)
    _fill(draft, list(paths), language or language_of(paths[0]), omissions)
    tree = assemble(draft, omissions)
    heading = _HEADING.format(names=" and ".join(path.name for path in paths))
    files = {name: one.text for name, one in draft.files.items()}
    return Imported(yaml_text(tree, heading), omissions.heaviest_first(), files)


def _fill(draft: Draft, paths: list[Path], language: Language, omissions: Omissions) -> None:
    if language == "traefik":
        read_traefik(paths, draft, omissions)
        return
    if len(paths) > 1:
        raise UnreadableSourceError(SourceLine(paths[1].name, 0), "only compose files are read together")
    read = read_nginx if language == "nginx" else read_caddyfile
    read(paths[0], draft, omissions)
