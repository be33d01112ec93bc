"""The promised bounds, as data: lb's cost as a ratio to a peer's in the same run, or as an absolute figure."""

from __future__ import annotations

from dataclasses import dataclass

ITSELF = "itself"
ABSOLUTE = "absolute"


@dataclass(frozen=True, slots=True)
class Bound:
    """`limit` holds for lb's cost divided by that of `against` (a peer, or ITSELF: its plain case), or, ABSOLUTE,
    for the cost.
    """

    scenario: str
    against: str
    limit: float


def _pair(scenario: str, nginx: float, haproxy: float) -> tuple[Bound, Bound]:
    return Bound(scenario, "nginx", nginx), Bound(scenario, "haproxy", haproxy)


BOUNDS: tuple[Bound, ...] = (
    *_pair("small", 1.0, 0.9),
    *_pair("small-tls", 1.0, 0.9),
    *_pair("gzip-20k", 0.40, 0.75),
    *_pair("gzip-100k", 0.30, 0.75),
    *_pair("body-20k", 1.0, 0.9),
    *_pair("body-100k", 0.7, 0.9),
    *_pair("body-1m", 1.0, 1.0),
    *_pair("body-100m", 0.6, 1.1),
    *_pair("body-1m-tls", 1.0, 1.15),
    *_pair("upload-100m", 1.5, 0.7),
    Bound("file-1k", "nginx", 1.0),
    Bound("file-100k", "nginx", 1.0),
    Bound("file-gzip", "nginx", 1.0),
    Bound("file-10m", "nginx", 1.0),
    Bound("file-1k-tls", "nginx", 1.0),
    Bound("file-100k-tls", "nginx", 1.0),
    Bound("file-10m-tls", "nginx", 1.0),
    *_pair("connect", 1.6, 1.3),
    *_pair("handshake", 1.3, 1.2),
    *_pair("resumed", 1.4, 1.3),
    Bound("idle", ABSOLUTE, 6.0),
    Bound("idle-tls", ABSOLUTE, 26.0),
    Bound("domains-10k", ITSELF, 1.05),
    Bound("instances-100", ITSELF, 1.05),
    Bound("routes-10", ITSELF, 1.03),
    Bound("routes-1000", ITSELF, 1.06),
    *_pair("small-uncompiled", 3.0, 2.5),
)


def bounds_of(scenario: str) -> tuple[Bound, ...]:
    """The bounds of one scenario, by its name."""
    return tuple(bound for bound in BOUNDS if bound.scenario == scenario)
