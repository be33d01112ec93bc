"""What the balancing of an environment is told, as people write it."""

from __future__ import annotations

import pytest

from lb.config.balancing import parse_balance, parse_cookie_name, parse_hash, parse_share, statuses
from lb.config.units import BadValueError


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("least_conn", "in lb this is least_connections"),
        ("ip_hash", "in lb this is"),
        ("random two least_conn", "in lb this is"),
        ("backup", "remove it"),
        ("robin", "use round_robin"),
        (5, ""),
    ],
)
def test_names_of_others_lead_to_ours(written: object, hint: str) -> None:
    assert parse_balance("power_of_two") == "power_of_two"
    with pytest.raises(BadValueError) as caught:
        parse_balance(written)
    assert caught.value.hint.startswith(hint)


@pytest.mark.parametrize(
    ("written", "parsed"),
    [
        ("uri", "uri"),
        (" client_address ", "client_address"),
        ("header: X-User", "header:x-user"),
        ("cookie:Session", "cookie:Session"),
    ],
)
def test_what_to_hash(written: str, parsed: str) -> None:
    assert parse_hash(written) == parsed


@pytest.mark.parametrize("written", ["header", "header:", "header:a b", "url", "uri:x", 7])
def test_nothing_to_hash(written: object) -> None:
    with pytest.raises(BadValueError):
        parse_hash(written)


@pytest.mark.parametrize(("written", "share"), [("20%", 0.2), ("1 %", 0.01), ("100%", 1.0), ("12.5%", 0.125)])
def test_a_share(written: str, share: float) -> None:
    assert parse_share(written) == share


@pytest.mark.parametrize(
    ("written", "hint"),
    [(20, "write 20%"), ("0%", "from 1% to 100%"), ("101%", "from 1%"), ("a lot", "20%"), (True, "20%")],
)
def test_no_share(written: object, hint: str) -> None:
    with pytest.raises(BadValueError) as caught:
        parse_share(written)
    assert hint in caught.value.hint


def test_statuses_and_their_classes() -> None:
    assert statuses(["200", "5xx"]) == {200, *range(500, 600)}
    assert statuses([]) == frozenset()


@pytest.mark.parametrize(
    ("name", "valid"), [("lb_instance", True), ("__Host-lb", True), ("a b", False), ("", False), (3, False)]
)
def test_a_cookies_name(name: object, valid: bool) -> None:
    if valid:
        assert parse_cookie_name(name) == name
    else:
        with pytest.raises(BadValueError):
            parse_cookie_name(name)
