"""Finds single elements of comma-separated lists without splitting the lists.

A client can send 64 KB of commas, and an object for each element costs milliseconds. Here one pass of a regular
expression finds what is needed; no part of one backtracks, so that none costs more than the bytes it reads. Knows what
a few elements look like, and nothing of their consequences.
"""

from __future__ import annotations

import re

_own_entry = re.compile(rb"(?:\A|,)\s*+[^\s,]++\s++lb(?![^\s,])", re.IGNORECASE)
_timeout = re.compile(rb"(?:\A|,)\s*+timeout\s*+=\s*+([0-9]{1,5}+)\s*+(?:,|\Z)", re.IGNORECASE)
_every_coding = re.compile(rb"(?:\A|,)\s*+(?:accept-encoding|\*)\s*+(?:,|\Z)", re.IGNORECASE)


def passes(via: bytes) -> int:
    """How many entries of a Via value are ours (RFC 9110 7.6.3): a protocol, then our name."""
    return len(_own_entry.findall(via))


def keep_alive_timeout(value: bytes) -> int:
    """The seconds that a Keep-Alive value promises with `timeout=`, or -1."""
    found = _timeout.search(value)
    return -1 if found is None else int(found[1])


def varies_by_coding(value: bytes) -> bool:
    """Whether a Vary value names Accept-Encoding, or everything."""
    return _every_coding.search(value) is not None
