"""A certificate authority for the commands that ask one."""

from __future__ import annotations

from tests.tls.acme.conftest import world

__all__ = ["world"]
