"""A peer's settings: which values hold, and which ones end the connection (RFC 9113 6.5.2)."""

from __future__ import annotations

import pytest
from hyperframe.frame import SettingsFrame

from lb.http import h2_settings
from lb.http.h2_errors import ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, PROTOCOL_ERROR, SessionError
from lb.http.h2_settings import PeerSettings


def payload(*entries: tuple[int, int]) -> bytes:
    return b"".join(key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in entries)


def test_identifiers_are_those_of_the_registry() -> None:
    for name in ("HEADER_TABLE_SIZE", "ENABLE_PUSH", "MAX_CONCURRENT_STREAMS", "INITIAL_WINDOW_SIZE"):
        assert getattr(h2_settings, name) == getattr(SettingsFrame, name)
    for name in ("MAX_FRAME_SIZE", "MAX_HEADER_LIST_SIZE", "ENABLE_CONNECT_PROTOCOL"):
        assert getattr(h2_settings, name) == getattr(SettingsFrame, name)
    assert h2_settings.NO_RFC7540_PRIORITIES == 9


def test_what_holds_before_anything_is_said() -> None:
    settings = PeerSettings()
    assert (settings.initial_window, settings.max_frame, settings.max_streams) == (65535, 16384, -1)
    assert (settings.header_list, settings.connect_protocol, settings.no_priorities) == (-1, False, False)
    assert settings.apply(b"") == 0


def test_every_entry_is_taken_in_its_order() -> None:
    settings = PeerSettings()
    change = settings.apply(
        payload((1, 0), (2, 0), (3, 7), (4, 10), (4, 70000), (5, 2**24 - 1), (6, 99), (8, 1), (9, 1))
    )
    assert change == 70000 - 65535
    assert (settings.initial_window, settings.max_frame, settings.max_streams) == (70000, 2**24 - 1, 7)
    assert (settings.header_list, settings.connect_protocol, settings.no_priorities) == (99, True, True)
    assert settings.apply(payload((4, 0))) == -70000


def test_unknown_entries_mean_nothing() -> None:
    settings = PeerSettings()
    assert settings.apply(payload((0, 5), (7, 5), (0xFFFF, 2**32 - 1))) == 0


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ((2, 2), PROTOCOL_ERROR),
        ((4, 2**31), FLOW_CONTROL_ERROR),
        ((5, 16383), PROTOCOL_ERROR),
        ((5, 2**24), PROTOCOL_ERROR),
        ((8, 2), PROTOCOL_ERROR),
        ((9, 2), PROTOCOL_ERROR),
    ],
)
def test_values_out_of_bounds_end_the_connection(entry: tuple[int, int], code: int) -> None:
    with pytest.raises(SessionError) as error:
        PeerSettings().apply(payload(entry))
    assert error.value.code == code


def test_a_frame_may_have_thirty_two_entries() -> None:
    # spec: W2
    settings = PeerSettings()
    settings.apply(payload((3, 1)) * 32)
    with pytest.raises(SessionError) as error:
        settings.apply(payload((3, 1)) * 33)
    assert error.value.code == ENHANCE_YOUR_CALM
