"""How descriptors are shared out, and what is said when there are none left."""

from __future__ import annotations

import errno
import logging

import pytest

from lb.proxy.descriptors import OURS, Shortage, connections_within, turned_away_within

# spec: L5


@pytest.mark.parametrize("listeners", [1, 30])
@pytest.mark.parametrize("descriptors", [16, 48, 64, 100, 256, 1024, 4096, 20_000, 1 << 20])
def test_what_was_let_in_can_be_served(descriptors: int, listeners: int) -> None:
    connections = connections_within(descriptors, listeners)
    turned_away = turned_away_within(descriptors, listeners)
    assert connections >= 1
    assert turned_away >= 1
    if descriptors >= 80:
        assert 2 * connections + turned_away + listeners <= descriptors - 20


def test_a_shortage_is_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    # spec: E3
    shortage = Shortage()
    with caplog.at_level(logging.ERROR, "lb.proxy"):
        for now in (100.0, 101.0, 159.0, 160.0):
            shortage.say(errno.EMFILE, now)
    assert len(caplog.records) == 2
    assert "LimitNOFILE" in caplog.messages[0]


@pytest.mark.parametrize("error", sorted(OURS))
def test_each_shortage_has_words(error: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "lb.proxy"):
        Shortage().say(error, 1.0)
    assert "out of" in caplog.messages[0]
