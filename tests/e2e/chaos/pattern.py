"""What is said about a request by its identifier alone, so that every byte of every answer can be checked."""

from __future__ import annotations

import hashlib


def pattern(identifier: str, size: int) -> bytes:
    """`size` bytes that no other identifier has."""
    unit = hashlib.sha256(identifier.encode()).hexdigest().encode()
    return (unit * (size // len(unit) + 1))[:size]


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
