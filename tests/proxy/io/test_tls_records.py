"""Where TLS records begin, in pieces of any size, and how many of them have brought no data."""

from __future__ import annotations

import pytest

from lb.proxy.io.tls_records import RecordCounter

ALL = 1 << 20


def record(size: int) -> bytes:
    """Of application data, with so many bytes behind its header."""
    return bytes((23, 3, 3)) + size.to_bytes(2, "big") + b"x" * size


@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 100])
def test_records_in_pieces_are_the_same_records(step: int) -> None:
    stream = b"".join(map(record, (0, 1, 300, 16, 0)))
    counter, rest, admitted = RecordCounter(), b"", 0
    for at in range(0, len(stream), step):
        rest += stream[at : at + step]
        taken = counter.admit(rest, ALL)
        rest, admitted = rest[taken:], admitted + taken
    assert (admitted, rest, counter.barren) == (len(stream), b"", 5)


@pytest.mark.parametrize(("cut", "admitted"), [(4, 0), (5, 5), (6, 6)])
def test_a_header_stays_whole(cut: int, admitted: int) -> None:
    counter = RecordCounter()
    assert counter.admit(record(10)[:cut], ALL) == admitted
    assert counter.barren == bool(admitted)


def test_one_turn_takes_as_many_bytes_as_it_may() -> None:
    counter, stream = RecordCounter(), record(100) * 2
    assert counter.admit(stream, 50) == 50
    assert counter.barren == 1
    assert counter.goes_on(stream[50:])
    assert counter.admit(stream[50:], ALL) == len(stream) - 50
    assert counter.barren == 2
    assert not counter.goes_on(b"")


def test_one_turn_takes_a_bounded_number_of_records() -> None:
    counter, stream = RecordCounter(), record(1) * 65
    admitted = counter.admit(stream, ALL)
    assert (admitted, counter.barren) == (64 * 6, 64)
    assert counter.goes_on(stream[admitted:])
    assert not counter.goes_on(stream[admitted : admitted + 4])  # its header is incomplete


def test_a_client_hello_may_have_the_form_of_ssl_2() -> None:
    counter = RecordCounter()
    assert counter.admit(b"\x80\x03abc" + record(2), ALL) == 5 + 7
    assert counter.barren == 2
    assert counter.admit(b"\x80", ALL) == 0


def test_data_makes_up_for_records_without() -> None:
    counter = RecordCounter()
    counter.admit(record(0) * 10, ALL)
    counter.has_read(1)  # its own record and one more
    assert counter.barren == 8
    counter.has_read(3 * 64)
    assert counter.barren == 3
    counter.has_read(16384)
    assert counter.barren == 0
