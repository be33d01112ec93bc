"""Limits and time-outs of an app, an environment or a route of its own: the narrowest one that is set holds (L7)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lb.config.base import Section
from lb.config.fields import Seconds, count, size
from lb.config.rates import RateValue

BUFFERING = (
    "Which request bodies are collected before an instance is chosen: auto (chunked ones, and others of up to 1M), on "
    "(all), or off (none)."
)


class OwnLimits(Section):
    """Limits in place of those at the top of the file."""

    body: Annotated[int, size(1 << 50, 0)] | None = Field(
        default=None, description="Largest request body, in bytes; 0: none at all. Beyond it 413."
    )
    client_rate: RateValue | None = Field(
        default=None, description="Requests of one client, over all workers: 100/s; beyond it 429 with Retry-After."
    )
    client_burst: Annotated[int, count(1_000_000)] | None = Field(
        default=None, description="Requests that one client may make at once; without it the number in client_rate."
    )


class OwnTimeouts(Section):
    """Time-outs in place of those at the top of the file."""

    connect: Seconds | None = Field(default=None, description="For a connection to an instance; beyond it 504.")
    response: Seconds | None = Field(default=None, description="For an instance to begin its response; beyond it 504.")
    read: Seconds | None = Field(
        default=None, description="Between two reads of a body, the client's or the instance's."
    )
