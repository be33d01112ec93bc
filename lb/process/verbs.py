"""The messages between the supervisor and its children: their verbs, and the parts of a reload answer.

    child → supervisor    ready · pong · prepared N · refused N REASON · switched N · certificates · missing NAME ·
                          denied NAME · open SHARES
    supervisor → child    ping · prepare N (with parcels and listening sockets) · switch N · abandon N · certificates ·
                          missing NAME · missing · denied NAME · retire · retire accepting · finish ·
                          stop
    job → supervisor      done (with a parcel)

This file knows words. It does not know how they are sent (channel.py), or what they cause.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Verb(StrEnum):
    """The first word of a line."""

    READY = "ready"
    PING = "ping"
    PONG = "pong"
    PREPARE = "prepare"
    PREPARED = "prepared"
    REFUSED = "refused"
    SWITCH = "switch"
    SWITCHED = "switched"
    ABANDON = "abandon"
    CERTIFICATES = "certificates"
    MISSING = "missing"
    DENIED = "denied"
    OPEN = "open"
    RETIRE = "retire"
    FINISH = "finish"
    STOP = "stop"
    DONE = "done"
    UNKNOWN = ""
    """Anything else: ignored."""

    @classmethod
    def read(cls, word: str) -> Verb:
        """The verb at the start of a line."""
        return _BY_WORD.get(word, cls.UNKNOWN)


_BY_WORD: dict[str, Verb] = {verb.value: verb for verb in Verb}


class ReloadAnswer(NamedTuple):
    """A child's answer about the change with this number, as text; `reason` says why it refuses it."""

    number: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.number} {self.reason}" if self.reason else self.number

    @classmethod
    def read(cls, text: str) -> ReloadAnswer:
        number, _, reason = text.partition(" ")
        return cls(number, reason)
