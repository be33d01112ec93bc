"""How often strangers may make us work."""

from __future__ import annotations

from lb.tls.handshake.name_limiter import NameLimiter


def test_a_name_is_admitted_once_in_its_pause() -> None:
    gate = NameLimiter(pause=5, rate=100, burst=100, most=100)
    assert gate.admits("a", 0)
    assert not gate.admits("a", 4.9)
    assert gate.admits("b", 4.9)
    assert gate.admits("a", 5)


def test_all_names_together_have_a_rate() -> None:
    gate = NameLimiter(pause=5, rate=2, burst=10, most=10_000)
    assert sum(gate.admits(f"n{number}", 0) for number in range(1000)) == 10
    assert sum(gate.admits(f"m{number}", 5) for number in range(1000)) == 10
    assert sum(gate.admits(f"o{number}", 6) for number in range(1000)) == 2


def test_what_it_knows_is_bounded() -> None:
    gate = NameLimiter(pause=5, rate=1e6, burst=1e6, most=100)
    assert sum(gate.admits(f"n{number}", 0) for number in range(1000)) == 100
    assert len(gate._until) == 100
    assert gate.admits("new", 6)
    assert len(gate._until) == 1
