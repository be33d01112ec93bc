"""When and how responses are compressed (C1), as one domain has it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Compression:
    """When and how responses are compressed (C1): codings in order of preference, bytes of the smallest body, media
    types.
    """

    codings: tuple[bytes, ...]
    min_size: int
    types: frozenset[bytes]
