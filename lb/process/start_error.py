"""The exception for a failed start."""

from __future__ import annotations


class StartError(Exception):
    """Something that the service needs is not available. The message says what, why, and what to do about it."""
