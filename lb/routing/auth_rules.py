"""What a route asks before it lets a request pass: a password, or an authentication service. Made at load time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BasicAuthRule:
    """The path of a password file, and the value of WWW-Authenticate that asks for one of its passwords."""

    file: str
    challenge: bytes


@dataclass(frozen=True, slots=True)
class ForwardAuthRule:
    """The service to ask: its host and port, its Host field, and the target of the request. `names` are the fields of
    its answer that the app gets; `timeout` is in seconds.
    """

    host: str
    port: int
    authority: bytes
    target: bytes
    names: tuple[bytes, ...]
    timeout: float


AuthRule = BasicAuthRule | ForwardAuthRule
