"""Which hashes are known, which are refused and why, and what verifying them finds."""

from __future__ import annotations

import bcrypt
import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2d, Argon2i, Argon2id

from lb.passwords.apr1 import apr1
from lb.passwords.password_hash import BadHashError, HashKind, PasswordHash, parse_hash, verify

BCRYPT = bcrypt.hashpw(b"secret", b"$2b$04$abcdefghijklmnopqrstuu")  # the same in every process of a run
# By htpasswd -B and htpasswd -m.
MADE_ELSEWHERE = [
    (b"$2y$05$CiQfc57/1d1gFzEmB4cvmufjfMie5..KFHVgD4h9bhir193jcFnUi", HashKind.BCRYPT),
    (b"$apr1$0WsuLkUT$Q0pLQ5jLBzzSxNwmf/QV8/", HashKind.APR1),
]


def argon2(kind: type[Argon2id | Argon2i | Argon2d]) -> bytes:
    made = kind(salt=b"saltsaltsalt", length=16, iterations=1, lanes=2, memory_cost=32)
    return made.derive_phc_encoded(b"secret").encode()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *MADE_ELSEWHERE,
        (BCRYPT, HashKind.BCRYPT),
        (b"$2a" + BCRYPT[3:], HashKind.BCRYPT),
        (apr1(b"secret", b"x"), HashKind.APR1),
        (argon2(Argon2id), HashKind.ARGON2),
        (argon2(Argon2i), HashKind.ARGON2),
        (argon2(Argon2d), HashKind.ARGON2),
    ],
)
def test_the_password_of_a_hash_is_found(text: bytes, kind: HashKind) -> None:
    known = parse_hash(text)
    assert known == PasswordHash(kind, text)
    assert verify(known, b"secret")
    for wrong in (b"", b"Secret", b"secret ", b"secret\0", b"secre", b"x" * 5000):
        assert not verify(known, wrong), wrong


def test_what_no_program_makes_a_hash_of_is_nobodys_password() -> None:
    empty = parse_hash(bcrypt.hashpw(b"", bcrypt.gensalt(4)))
    assert verify(empty, b"")
    assert not verify(empty, b"\0")
    assert not verify(parse_hash(bcrypt.hashpw(b"-", bcrypt.gensalt(4))), b"a\0b")


def test_bcrypt_looks_at_72_bytes_as_everywhere() -> None:
    known = parse_hash(bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)))
    assert verify(known, b"x" * 72)
    assert verify(known, b"x" * 100)
    assert not verify(known, b"x" * 71)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "there is no hash"),
        (b"secret", "no hash that lb can verify"),
        (b"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "unsalted SHA-1"),
        (b"{SSHA}x", "LDAP"),
        (b"$1$abc$def", "MD5-crypt"),
        (b"$6$abc$def", "SHA-crypt"),
        (b"$y$j9T$abc", "yescrypt"),
        (b"rqXexS6ZhobKA", "DES"),
        (BCRYPT[:-1], "is not complete"),
        (b"$apr1$saltsalt$short", "is not complete"),
        (b"$argon2id$v=19$m=1", "is not complete"),
        (b"$2x" + BCRYPT[3:], "is not complete"),
        (b"$2b$31" + BCRYPT[6:], "the cost 31"),
        (b"$2b$03" + BCRYPT[6:], "the cost 3"),
        (argon2(Argon2id).replace(b"m=32", b"m=999999"), "m=999999"),
        (argon2(Argon2id).replace(b"m=32,t=1", b"m=65536,t=99"), "t=99"),
        (argon2(Argon2id).replace(b"p=2", b"p=99"), "p=99"),
        (argon2(Argon2id).replace(b"t=1", b"t=0"), "t=0"),
        (argon2(Argon2id).replace(b"p=2", b"p=5"), "p=5"),
    ],
)
def test_other_hashes_are_refused_by_name(text: bytes, says: str) -> None:
    with pytest.raises(BadHashError) as error:
        parse_hash(text)
    assert says in error.value.args[0]
    assert error.value.args[1]
    if text:
        assert text.decode() not in str(error.value.args), "it may be a password"


def test_an_argon2_hash_that_its_library_cannot_read_lets_nobody_in() -> None:
    assert not verify(parse_hash(argon2(Argon2id).replace(b"$c2FsdHNhbHRzYWx0$", b"$c2$")), b"secret")
