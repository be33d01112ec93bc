"""The base of all parts of the configuration: nothing is guessed, ignored or changed later."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the configuration: its fields are the keys of the file."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
