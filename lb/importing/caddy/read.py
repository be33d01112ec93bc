"""A Caddyfile → a draft. The other files of this package read its parts."""

from __future__ import annotations

from pathlib import Path

from lb.importing.caddy.files import CaddyFiles
from lb.importing.caddy.options import OptionReader
from lb.importing.caddy.sites import SiteReader
from lb.importing.draft import Draft
from lb.importing.omissions import Omissions
from lb.importing.source_line import SourceLine, UnreadableSourceError


def read_caddyfile(path: Path, draft: Draft, omissions: Omissions) -> None:
    """Fills a draft with what a file says, and those that it imports. Raises UnreadableSourceError."""
    file = CaddyFiles(path, omissions).read()
    if not file.sites:
        raise UnreadableSourceError(SourceLine(path.name, 0), "there is no site in this file")
    options = OptionReader(draft, omissions).read(file.options)
    SiteReader(draft, options, omissions).read(file.sites)
