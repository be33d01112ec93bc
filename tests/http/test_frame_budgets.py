"""Floods end a connection, and what honest clients do does not: both with a number for a clock."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hyperframe import frame

from lb.http.frame_budgets import FrameBudgets, TokenBucket
from lb.http.frames import INCOMPLETE, FrameReader
from lb.http.h2_errors import ENHANCE_YOUR_CALM, SessionError

START = 1000.0


class Peer:
    """A connection whose frames are read and counted; `now` is its clock."""

    def __init__(self) -> None:
        self.now = START
        self.reader = FrameReader()
        self.budgets = FrameBudgets(START)
        self.sends(frame.SettingsFrame(0).serialize())

    def sends(self, data: bytes) -> None:
        while self.reader.feed(data, 0) != INCOMPLETE:
            self.budgets.received(self.reader, self.now)
            data = data[self.reader.used :]
        assert data[self.reader.used :] == b"", "frames are whole here"

    def until_refused(self, data: bytes, most: int = 100_000) -> int:
        """How often these frames may come."""
        return refused_after(lambda: self.sends(data), most)


def refused_after(step: Callable[[], None], most: int = 100_000) -> int:
    for count in range(most):
        try:
            step()
        except SessionError as error:
            assert error.code == ENHANCE_YOUR_CALM  # noqa: PT017
            return count
    return most


PING = frame.PingFrame(0, opaque_data=b"12345678").serialize()
SETTINGS = frame.SettingsFrame(0, settings={4: 65535}).serialize()
PRIORITY = frame.PriorityFrame(5, depends_on=3).serialize()
PRIORITY_UPDATE = b"\0\0\7\x10\0\0\0\0\0\0\0\0\1u=1"
UPDATE = frame.WindowUpdateFrame(0, window_increment=1).serialize()
RESET = frame.RstStreamFrame(1, error_code=8).serialize()
EMPTY = frame.DataFrame(1, b"").serialize()
PADDED = frame.DataFrame(1, b"", flags=["PADDED"], pad_length=255).serialize()
HEAD = frame.HeadersFrame(1, b"block", flags=["END_HEADERS"]).serialize()
UNKNOWN = b"\0\0\0\x42\0\0\0\0\0"
GOAWAY = frame.GoAwayFrame(0).serialize()


# Buckets


def test_a_bucket_refills_with_time_and_is_never_more_than_full() -> None:
    bucket = TokenBucket(10.0, 2.0, START)
    assert [bucket.take(5.0, START) for _ in range(3)] == [True, True, False]
    assert not bucket.take(3.0, START + 1.0)
    assert bucket.take(2.0, START + 1.0)
    assert bucket.take(10.0, START + 1000.0)
    assert not bucket.take(0.5, START + 1000.0)


def test_tokens_may_be_given_back() -> None:
    bucket = TokenBucket(2.0, 0.0, START)
    bucket.give(5.0)
    assert [bucket.take(1.0, START) for _ in range(3)] == [True, True, False]
    bucket.give(1.0)
    assert bucket.take(1.0, START)
    assert bucket.is_below(0.5)
    bucket.give(2.0)
    assert not bucket.is_below(0.5)


# Floods


@pytest.mark.parametrize(
    "data", [PING, SETTINGS, PRIORITY, PRIORITY_UPDATE], ids=("ping", "settings", "priority", "update")
)
def test_control_frames_have_a_bucket(data: bytes) -> None:
    # spec: W2
    peer = Peer()
    assert peer.until_refused(data) == 99  # and the first SETTINGS
    peer = Peer()
    for _ in range(3000):  # ten in a second
        peer.sends(data)
        peer.now += 0.1


def test_a_stream_allows_one_control_frame_more() -> None:
    # spec: W2
    peer = Peer()
    for _ in range(3000):
        peer.budgets.opened()
        peer.sends(PRIORITY)


def test_a_ping_after_an_answer_costs_nothing() -> None:
    # spec: W2 W3
    peer = Peer()
    for _ in range(3000):  # as gRPC measures the bandwidth of a stream
        peer.budgets.sent_data()
        peer.sends(PING)
    assert peer.until_refused(PING) == 99


@pytest.mark.parametrize("reset", ["reset_by_client", "reset_by_us"])
def test_resets_have_a_bucket(reset: str) -> None:
    # spec: W2
    peer = Peer()
    call = getattr(peer.budgets, reset)
    assert refused_after(lambda: call(peer.now)) == 200
    peer = Peer()
    call = getattr(peer.budgets, reset)
    for _ in range(3000):  # thirty-three in a second
        call(peer.now)
        peer.now += 1 / 33


def test_both_kinds_of_resets_share_one_bucket() -> None:
    # spec: W2
    peer = Peer()
    for _ in range(100):
        peer.budgets.reset_by_client(peer.now)
        peer.budgets.reset_by_us(peer.now)
    with pytest.raises(SessionError, match="had to be reset"):
        peer.budgets.reset_by_us(peer.now)


@pytest.mark.parametrize("data", [EMPTY, PADDED], ids=("empty", "padding"))
def test_empty_data_may_come_ten_times_in_a_row(data: bytes) -> None:
    # spec: W2
    assert Peer().until_refused(data) == 10
    for other in (HEAD, frame.DataFrame(1, b"payload").serialize()):
        peer = Peer()
        for _ in range(20):
            peer.sends(data * 10 + other)


def test_data_that_ends_streams_may_be_empty() -> None:
    # spec: W2
    Peer().sends(frame.DataFrame(1, b"", flags=["END_STREAM"]).serialize() * 3000)


def test_data_has_payload_in_proportion_to_its_bytes() -> None:
    # spec: W2
    dribble = frame.DataFrame(1, b"a", flags=["PADDED"], pad_length=255).serialize()
    assert Peer().until_refused(dribble * 100) == (1 << 20) // (100 * (40 + 257 - 8))
    assert Peer().until_refused(frame.DataFrame(1, b"a").serialize() * 100) == (1 << 20) // (100 * (40 + 1 - 8))
    peer = Peer()
    for size in (2, 5, 20):  # small messages are none
        peer.sends(frame.DataFrame(1, b"a" * size).serialize() * 20_000)


def test_single_bytes_may_come_for_ever_if_they_come_slowly() -> None:
    # spec: W2
    peer = Peer()
    for _ in range(100):  # as keys are pressed in many terminals
        peer.sends(frame.DataFrame(1, b"a").serialize() * 1500)
        peer.now += 1.0


def test_payload_of_long_ago_does_not_allow_a_dribble() -> None:
    # spec: W2
    peer = Peer()
    peer.sends(frame.DataFrame(1, b"a" * 16384).serialize() * 1000)
    dribble = frame.DataFrame(1, b"a", flags=["PADDED"], pad_length=255).serialize()
    assert peer.until_refused(dribble * 100) == (1 << 20) // (100 * (40 + 257 - 8))


def test_updates_of_windows_follow_streams_and_data() -> None:
    # spec: W2
    assert Peer().until_refused(UPDATE) == 5
    peer = Peer()
    peer.budgets.opened()
    peer.budgets.sent_data()
    assert peer.until_refused(UPDATE) == 5 + 2 + 20
    peer = Peer()
    for _ in range(100_000):
        peer.budgets.sent_data()
    assert peer.until_refused(UPDATE) == 10_000


def test_the_size_of_all_windows_may_change_ten_times() -> None:
    # spec: W2
    peer = Peer()
    assert refused_after(lambda: peer.budgets.window_change(peer.now)) == 10
    peer.now += 10.0
    assert refused_after(lambda: peer.budgets.window_change(peer.now)) == 1


@pytest.mark.parametrize(
    ("data", "times"),
    [
        (UNKNOWN, 2000),
        (RESET, 2000),
        (GOAWAY, 500),
        (frame.WindowUpdateFrame(1, window_increment=1).serialize()[:-1] + b"\0", 5),
        (frame.PriorityFrame(5, depends_on=5).serialize(), 99),
    ],
    ids=("unknown", "reset", "goaway", "no increment", "dependency on itself"),
)
def test_oddities_have_a_bucket(data: bytes, times: int) -> None:
    # spec: W2
    assert Peer().until_refused(data) == times


def test_a_small_head_in_many_frames_is_odd() -> None:
    # spec: W2
    def head(size: int) -> bytes:
        parts = [frame.HeadersFrame(1, b"a" * size), *(frame.ContinuationFrame(1, b"a" * size) for _ in range(7))]
        parts[-1].flags.add("END_HEADERS")
        return b"".join(part.serialize() for part in parts)

    assert Peer().until_refused(head(10)) == 500 // 6
    assert Peer().until_refused(head(8000), 1000) == 1000


def test_a_client_is_asked_to_leave_before_it_has_to() -> None:
    # spec: W2
    peer = Peer()
    for count in range(500):
        assert peer.budgets.wants_goaway == (count > 375)
        peer.budgets.refused(peer.now)
    with pytest.raises(SessionError):
        peer.budgets.refused(peer.now)
    peer.now += 1000.0
    peer.budgets.refused(peer.now)
    assert peer.budgets.wants_goaway, "it was told once"


# What honest clients do


def test_a_browser_that_loads_pages_is_no_flood() -> None:
    # spec: W2
    peer = Peer()
    peer.sends(SETTINGS + UPDATE + frame.SettingsFrame(0, flags=["ACK"]).serialize())
    for _ in range(50):  # pages of 100 resources, a tenth of them given up
        for resource in range(100):
            peer.budgets.opened()
            peer.sends(HEAD + PRIORITY_UPDATE)
            for _ in range(10):
                peer.budgets.sent_data()
                peer.sends(UPDATE * 2)
            if resource % 10 == 0:
                peer.sends(RESET)
                peer.budgets.reset_by_client(peer.now)
        peer.now += 1.0
    assert not peer.budgets.wants_goaway


def test_a_stream_of_small_messages_is_no_flood() -> None:
    # spec: W3
    peer = Peer()
    peer.budgets.opened()
    message = frame.DataFrame(1, b"\0\0\0\0\0").serialize()
    for _ in range(20_000):
        peer.sends(message * 5)
        peer.budgets.sent_data()
        peer.sends(UPDATE * 2 + PING)
        peer.now += 0.001
