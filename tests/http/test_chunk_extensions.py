"""What may stand between a chunk's size and the end of its line: the table, walked byte by byte."""

from __future__ import annotations

import pytest

from lb.http.chunk_extensions import AFTER_SIZE, BAD, CONTROL, END, STEPS, of_instance, of_request


def walk(state: int, text: bytes) -> int:
    """Where these bytes lead from this state; at the first refusal, that."""
    for byte in text:
        state = STEPS[state * 256 + byte]
        if state in (END, BAD, CONTROL):
            break
    return state


# spec: F5; RFC 9112 section 7.1.1
@pytest.mark.parametrize(
    ("text", "end"),
    [
        (b"name\r", END),
        (b"name=value\r", END),
        (b' name = "quoted; \\" \xff"\r', END),
        (b"a;b=c;d\r", END),
        (b"a ;b\r", END),
        (b"a \r", BAD),  # a blank at the end, which some take for a part of the size
        (b"a=b \r", CONTROL),
        (b"\r", CONTROL),
        (b";\r", BAD),
        (b"a=\r", CONTROL),
        (b'a="open\r', CONTROL),
        (b"a\n", CONTROL),
        (b"a\x00", CONTROL),
    ],
)
def test_what_a_client_may_say(text: bytes, end: int) -> None:
    found = walk(of_request, text)
    assert (found == END) is (end == END), found
    assert found in (END, BAD, CONTROL)


# spec: F5
@pytest.mark.parametrize(
    ("state", "text", "accepted"),
    [
        (AFTER_SIZE, b"  \r", True),
        (AFTER_SIZE, b" ;anything goes ;;=\xff\r", True),
        (AFTER_SIZE, b"x", False),
        (of_instance, b"\r", True),
        (of_instance, b"\x01", False),
        (of_instance, b"a\n", False),
    ],
)
def test_what_an_instance_may_say(state: int, text: bytes, accepted: bool) -> None:
    assert (walk(state, text) == END) is accepted


def test_the_table_is_whole() -> None:
    states = len(STEPS) // 256
    assert len(STEPS) == states * 256
    assert all(step < states or step in (END, BAD, CONTROL) for step in STEPS)
    assert not any(STEPS[state * 256 + byte] == END for state in range(states) for byte in range(256) if byte != 0x0D)
