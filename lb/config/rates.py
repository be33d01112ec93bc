"""How often something may happen: so many requests in so many seconds."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from lb.config import units
from lb.config.base import Section
from lb.config.fields import spelled


class Rate(Section):
    """So many requests in so many seconds."""

    requests: int
    seconds: float

    def __str__(self) -> str:
        return units.show_rate(self.requests, self.seconds)


def _rate(value: object) -> object:
    if isinstance(value, Rate):
        return value
    requests, seconds = units.parse_rate(value)
    return Rate(requests=requests, seconds=seconds)


RateValue = Annotated[Rate, BeforeValidator(_rate, json_schema_input_type=spelled(units.RATE_PATTERN))]
