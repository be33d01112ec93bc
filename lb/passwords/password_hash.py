"""A password's hash as a file has it: which kind it is, whether it can be verified, and whether a password is its own.

Verifying is slow by design, and none of it may run on an event loop. bcrypt and argon2 are the libraries' business,
imported when the first hash of their kind is verified. This file knows no users and no requests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from hmac import compare_digest

from lb.passwords.apr1 import apr1

_BCRYPT = re.compile(rb"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_APR1 = re.compile(rb"\$apr1\$([^$:\s]{1,8})\$[./0-9A-Za-z]{22}")
_ARGON2 = re.compile(
    rb"\$argon2(?:id|i|d)\$v=19\$m=([0-9]{1,9}),t=([0-9]{1,9}),p=([0-9]{1,9})(?:\$[A-Za-z0-9+/]{2,90}){2}"
)
_LEAST_COST, _MOST_COST = 4, 15  # of bcrypt: 15 takes two seconds
_MOST_MEMORY = 256 << 10  # KiB of argon2: each verification at once needs as much
_MOST_WORK = 1 << 20  # KiB times passes, which also take about two seconds
_MOST_LANES = 64
_LONGEST_BCRYPT = 72  # bytes of a password that count: the rest is ignored wherever bcrypt is spoken
_LONGEST = 1024  # bytes of a password

_HINT = "write a bcrypt, argon2 or apr1 hash: htpasswd -B FILE USER makes one"
_WEAK = (
    (re.compile(rb"\{SHA\}"), "an unsalted SHA-1 hash"),
    (re.compile(rb"\{[A-Za-z0-9]+\}"), "a hash of LDAP's kind"),
    (re.compile(rb"\$1\$"), "an MD5-crypt hash"),
    (re.compile(rb"\$[56]\$"), "a SHA-crypt hash"),
    (re.compile(rb"\$(?:y|7|gy)\$"), "a yescrypt hash"),
    (re.compile(rb"\$2[x]?\$"), "a hash of an early bcrypt"),
    (re.compile(rb"[./0-9A-Za-z]{13}"), "a DES hash, or a password that is not hashed"),
)


class HashKind(Enum):
    """What made a hash."""

    BCRYPT = "bcrypt"
    APR1 = "apr1"
    ARGON2 = "argon2"


class BadHashError(ValueError):
    """Text that is no hash of ours. The second argument says what to write; neither has the text, which may be a
    password.
    """


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """A hash that can be verified."""

    kind: HashKind
    text: bytes


def parse_hash(text: bytes) -> PasswordHash:
    """The hash that `text` is. Raises BadHashError, also for one that would take far too long to verify."""
    if (found := _BCRYPT.fullmatch(text)) is not None:
        cost = int(found[1])
        if not _LEAST_COST <= cost <= _MOST_COST:
            raise BadHashError(
                f"the bcrypt hash has the cost {cost}", f"make one with a cost from {_LEAST_COST} to {_MOST_COST}"
            )
        return PasswordHash(HashKind.BCRYPT, text)
    if _APR1.fullmatch(text) is not None:
        return PasswordHash(HashKind.APR1, text)
    if (found := _ARGON2.fullmatch(text)) is not None:
        memory, passes, lanes = (int(part) for part in found.groups())
        is_small = 8 * lanes <= memory <= _MOST_MEMORY and 1 <= lanes <= _MOST_LANES
        if not is_small or not 0 < memory * passes <= _MOST_WORK:
            hint = f"make one with m up to {_MOST_MEMORY}, m times t up to {_MOST_WORK}, and p up to m / 8"
            raise BadHashError(f"the argon2 hash asks for m={memory}, t={passes}, p={lanes}", hint)
        return PasswordHash(HashKind.ARGON2, text)
    raise BadHashError(_what(text), _HINT)


def _what(text: bytes) -> str:
    if not text:
        return "there is no hash"
    for kind in (b"$2", b"$apr1$", b"$argon2"):
        if text.startswith(kind):
            return f"the hash begins like one of {kind.decode().strip('$')} and is not complete"
    for pattern, name in _WEAK:
        if pattern.match(text) is not None:
            return f"this is {name}, which lb does not verify"
    return "this is no hash that lb can verify"


def verify(known: PasswordHash, password: bytes) -> bool:
    """Whether the hash is that of this password, in the same time whatever the answer is. Takes up to seconds."""
    is_possible = b"\0" not in password and len(password) <= _LONGEST  # what no program makes a hash of
    return _is_of(known, password if is_possible else b"-") and is_possible


def _is_of(known: PasswordHash, password: bytes) -> bool:
    match known.kind:
        case HashKind.BCRYPT:
            return _is_of_bcrypt(known.text, password)
        case HashKind.ARGON2:
            return _is_of_argon2(known.text, password)
    salt = known.text.split(b"$")[2]
    return compare_digest(apr1(password, salt), known.text)


def _is_of_bcrypt(text: bytes, password: bytes) -> bool:
    import bcrypt  # noqa: PLC0415  only where a file has such hashes

    return bcrypt.checkpw(password[:_LONGEST_BCRYPT], text)


def _is_of_argon2(text: bytes, password: bytes) -> bool:
    from cryptography.exceptions import InvalidKey  # noqa: PLC0415  likewise
    from cryptography.hazmat.primitives.kdf import argon2  # noqa: PLC0415

    name = text.split(b"$")[1]
    try:
        if name == b"argon2id":
            argon2.Argon2id.verify_phc_encoded(password, text.decode())
        elif name == b"argon2i":
            argon2.Argon2i.verify_phc_encoded(password, text.decode())
        else:
            argon2.Argon2d.verify_phc_encoded(password, text.decode())
    except (InvalidKey, ValueError):  # it is not the password, or no hash at all
        return False
    return True
