"""The one way in which a start fails."""

from __future__ import annotations


class StartError(Exception):
    """Something that the service needs is not to be had. The message says what, why, and what to do about it."""
