"""Secrets in lines of a build's log → asterisks: the values of variables, and what stands before the @ of a URL."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SHORTEST = 8  # characters; shorter values stand in too much that is no secret
_HIDDEN = "****"
_CREDENTIALS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)(?!git@)[^\s/@'\"]*(?::[^\s@'\"]*)?@")


class Masker:
    """Hides `values`, each line of them, and credentials in URLs."""

    def __init__(self, values: Iterable[str]) -> None:
        lines = {line.strip() for value in values for line in value.splitlines()}
        hidden = sorted((line for line in lines if len(line) >= _SHORTEST), key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, hidden))) if hidden else None

    def mask(self, text: str) -> str:
        if self._values is not None:
            text = self._values.sub(_HIDDEN, text)
        return _CREDENTIALS.sub(rf"\1{_HIDDEN}@", text) if "://" in text else text
