"""What the front door does with every kind of frame, right and wrong (`http2_cases` has the table).

h2spec itself, which is no package of any registry, says the same: `h2spec -t -k -p PORT`. On a port that speaks HTTP/1,
too, it finds one fault: what is not the preface of HTTP/2 is answered there with a 400 of HTTP/1.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.http2_raw import (
    ACK,
    DATA,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    Frame,
    RawHttp2,
    frame,
)
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.scripts import ok
from tests.e2e.http2_cases import (
    ACCEPTED,
    CONNECTION_ERRORS,
    LEFT_OPEN,
    PINGED,
    PROTOCOL_ERROR,
    STREAM_ERRORS,
    Answer,
    Case,
    Data,
    Either,
    GoAway,
    Pong,
    StreamError,
    Wait,
)


def script(peer: Peer) -> None:
    while True:
        peer.request()
        peer.send(ok(b"some text that fills no window"))


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    with Instance(script) as running:
        yield running


@pytest.fixture(scope="module")
def door(instance: Instance, tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[FrontDoor]:
    config = configure(
        instance.address,
        listen={"http": "127.0.0.1:0", "https": "127.0.0.1:0", "h2c": True},
        tls=tls_config(authority.issue(HOST)),
    )
    with FrontDoor(config, tmp_path_factory.mktemp("door")) as running:
        yield running


def is_pong(payload: bytes) -> Wait:
    return Wait("a pong", lambda got: got.kind == PING and got.flags & ACK != 0 and got.payload == payload)


def check(connection: RawHttp2, expected: Answer | Pong | StreamError | GoAway | Data | Either) -> None:
    """Wait for what is expected."""
    match expected:
        case Answer(stream, status):
            head = connection.wait(lambda got: got.kind == HEADERS)
            assert (head.stream, connection.status(head)) == (stream, status)
        case Pong(payload):
            if not payload:
                connection.send(frame(PING, 0, 0, PINGED))
            connection.wait(is_pong(payload or PINGED).condition)
        case Data(size):
            assert len(connection.wait(lambda got: got.kind == DATA).payload) == size
        case StreamError(code, stream):
            error = connection.wait(lambda got: got.kind in (RST_STREAM, GOAWAY))
            assert (error.kind, error.stream, error.value) == (RST_STREAM, stream, code)
            check(connection, Pong())
        case GoAway(code):
            error = connection.wait(lambda got: got.kind in (RST_STREAM, GOAWAY))
            assert (error.kind, error.value) == (GOAWAY, code)
            connection.wait_for_the_end()
        case Either(code):
            assert connection.wait(lambda got: got.kind in (RST_STREAM, GOAWAY)).value == code


def play(connection: RawHttp2, steps: tuple[bytes | Wait, ...]) -> None:
    """Send the bytes; those that no wait separates go out at once."""
    together = b""
    for step in steps:
        if isinstance(step, Wait):
            connection.send(together)
            together = b""
            connection.wait(step.condition)
        else:
            together += step
    connection.send(together)


@pytest.mark.parametrize("case", [*ACCEPTED, *STREAM_ERRORS, *CONNECTION_ERRORS], ids=str)
def test_frames(door: FrontDoor, case: Case) -> None:
    # spec: W1
    with RawHttp2(("127.0.0.1", door.http)) as connection:
        play(connection, case.steps)
        check(connection, case.expected)


@pytest.mark.parametrize(
    ("steps", "expected"), [case[2:] for case in LEFT_OPEN], ids=[f"{case[0]} {case[1]}" for case in LEFT_OPEN]
)
def test_frames_with_two_right_answers(door: FrontDoor, steps: tuple[bytes | Wait, ...], expected: Either) -> None:
    # spec: W1
    with RawHttp2(("127.0.0.1", door.http)) as connection:
        play(connection, steps)
        check(connection, expected)


def test_the_first_frame_of_the_server_is_settings(door: FrontDoor) -> None:
    # spec: W1
    with RawHttp2(("127.0.0.1", door.http), greet=False) as connection:
        connection.send(PREFACE + frame(SETTINGS, 0, 0))
        first: Frame = connection.wait(lambda _: True)
        assert (first.kind, first.flags, first.stream) == (SETTINGS, 0, 0)


def test_an_invalid_preface_ends_the_connection(door: FrontDoor, authority: Authority) -> None:
    # spec: W1
    with RawHttp2(("127.0.0.1", door.https), tls=authority.context(alpn=("h2",)), greet=False) as connection:
        connection.send(b"INVALID CONNECTION PREFACE\r\n\r\n")
        error = connection.wait(lambda got: got.kind == GOAWAY)
        assert error.value == PROTOCOL_ERROR
        connection.wait_for_the_end()


def test_the_table_has_every_case_of_the_suite() -> None:
    two = 2  # the prefaces, which are tests of their own
    assert len(ACCEPTED) + len(STREAM_ERRORS) + len(CONNECTION_ERRORS) + len(LEFT_OPEN) + two == 146
