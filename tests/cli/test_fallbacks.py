"""What runs here in a lesser form than it could, and how to mend that."""

from __future__ import annotations

import pytest

from lb.cli.fallbacks import fallbacks, warnings

BEST = {"engine": "compiled", "loop": "uvloop 0.22", "openssl_access": "full"}


def test_where_everything_is_as_good_as_it_can_be_nothing_is_said() -> None:
    assert fallbacks(BEST) == warnings(BEST) == fallbacks({}) == warnings({}) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [({"engine": "python"}, "reinstall with a C compiler"), ({"loop": "asyncio"}, "pip install uvloop")],
)
def test_what_is_slower_names_what_to_do(change: dict[str, str], words: str) -> None:
    (found,) = fallbacks({**BEST, **change})
    assert words in found
    assert warnings({**BEST, **change}) == [f"running without {found}"]


def test_what_is_less_safe_is_a_warning_and_no_reason_to_refuse() -> None:
    # spec: T4
    build = {**BEST, "openssl_access": "none"}
    assert fallbacks(build) == []
    assert "keys of session tickets" in warnings(build)[0]
