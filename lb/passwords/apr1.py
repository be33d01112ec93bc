"""The apr1 hash of a password: MD5 a thousand times over, as Apache's htpasswd has made it for decades.

It follows the algorithm's one description, the source of apr_md5_encode, and is tested against what openssl makes. It
is here since many password files have it; `htpasswd -B` makes better ones.
"""

from __future__ import annotations

from hashlib import md5

MAGIC = b"$apr1$"
LONGEST_SALT = 8

_ROUNDS = 1000
_ALPHABET = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# The order in which the digest's bytes are written, three at a time.
_TRIPLES = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))
_LAST = 11


def apr1(password: bytes, salt: bytes) -> bytes:
    """The hash as a password file has it: `$apr1$salt$digest`. Of the salt, eight bytes count."""
    salt = salt[:LONGEST_SALT]
    digest = _first(password, salt)
    for number in range(_ROUNDS):
        odd = number % 2
        text = password if odd else digest
        if number % 3:
            text += salt
        if number % 7:
            text += password
        digest = _md5(text + (digest if odd else password))
    return MAGIC + salt + b"$" + _written(digest)


def _first(password: bytes, salt: bytes) -> bytes:
    inner = _md5(password + salt + password)
    size = len(password)
    text = password + MAGIC + salt + (inner * (size // len(inner) + 1))[:size]
    bits = size
    while bits:
        text += b"\0" if bits & 1 else password[:1]
        bits >>= 1
    return _md5(text)


def _md5(text: bytes) -> bytes:
    return md5(text, usedforsecurity=False).digest()


def _written(digest: bytes) -> bytes:
    text = bytearray()
    for high, middle, low in _TRIPLES:
        _append(text, digest[high] << 16 | digest[middle] << 8 | digest[low], 4)
    _append(text, digest[_LAST], 2)
    return bytes(text)


def _append(text: bytearray, number: int, characters: int) -> None:
    """Six bits a character, the lowest first."""
    for _ in range(characters):
        text.append(_ALPHABET[number & 63])
        number >>= 6
