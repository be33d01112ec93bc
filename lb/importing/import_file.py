"""What `lb import` does with a file: which language it is, its draft, and the text of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lb.importing.assemble import assemble
from lb.importing.caddy.read import read_caddyfile
from lb.importing.nginx.read import read_nginx
from lb.importing.omissions import Omission, Omissions
from lb.importing.yaml_text import yaml_text

Language = Literal["nginx", "caddy", "traefik"]


@dataclass(frozen=True, slots=True)
class Imported:
    """The text of a configuration of lb, and what it leaves out, heaviest first."""

    text: str
    omissions: tuple[Omission, ...]


def import_file(path: Path) -> Imported:
    omissions = Omissions()
    draft = (read_caddyfile if "caddy" in path.name.lower() else read_nginx)(path, omissions)
    tree = assemble(draft, omissions)
    return Imported(yaml_text(tree, f"Imported from {path.name}."), omissions.heaviest_first())
