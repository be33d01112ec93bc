"""Against hashes that `openssl passwd -apr1` made."""

from __future__ import annotations

import pytest

from lb.passwords.apr1 import apr1

MADE = [
    ("a", "x", "$apr1$x$16j9.5e7KiXmuYFAYpPJM/"),
    ("secret", "saltsalt", "$apr1$saltsalt$LrttParrLPdxvgutaSXWJ0"),
    ("p" * 15, "12345678", "$apr1$12345678$ZapMWdRCCcU0OWnpXwdXQ0"),
    ("q" * 16, "./AZaz09", "$apr1$./AZaz09$2tE08HWOyJarowCIOm.51/"),
    ("r" * 17, "s", "$apr1$s$nedyKCyuyuf4lcBY.oWWC1"),
    ("long " * 40, "abcdefgh", "$apr1$abcdefgh$Lj/3BokinYput8Idollay/"),
    ("pässwörd", "uvwxyz", "$apr1$uvwxyz$ANTBn1p39d7ZP7h8x0sZ61"),
    ("0", "........", "$apr1$........$rvRChy8RMcU/l91cy.7jL1"),
    ("w" * 63, "ab", "$apr1$ab$cde633E9mZLrsjGZaIj0y1"),
    ("w" * 64, "ab", "$apr1$ab$f2Wv/rAS2IbLXRlwwc9C6."),
    ("w" * 65, "ab", "$apr1$ab$.x975bFnuAy.WeoiHqGkD0"),
]


@pytest.mark.parametrize(("password", "salt", "made"), MADE)
def test_it_makes_what_openssl_makes(password: str, salt: str, made: str) -> None:
    assert apr1(password.encode(), salt.encode()) == made.encode()


def test_eight_bytes_of_a_salt_count() -> None:
    assert apr1(b"secret", b"saltsalted") == apr1(b"secret", b"saltsalt")
