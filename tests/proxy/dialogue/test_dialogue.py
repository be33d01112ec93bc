"""Dialogues notice what is not as they say: each of these is wrong in one place."""

from __future__ import annotations

import pytest

from tests.proxy.dialogue import (
    DATE,
    GET,
    GET_FORWARDED,
    Dialogue,
    client,
    drains,
    head,
    instance,
    logged,
    passes,
)

NOTHING = head("HTTP/1.1 204 No Content")
NOTHING_TOLD = head("HTTP/1.1 204 No Content", DATE)


def forwarding() -> Dialogue:
    return Dialogue() >> client(GET) << instance.connects >> instance.accepts << instance(GET_FORWARDED)


def test_other_bytes_than_those_that_went() -> None:
    with pytest.raises(AssertionError, match=r"(?s)the proxy did\n<< client\(.*instead of\n<< client\("):
        assert forwarding() >> instance(NOTHING) << client(NOTHING)


def test_something_else_than_what_the_proxy_did() -> None:
    with pytest.raises(AssertionError, match=r"(?s)the proxy did\n<< instance.closes.*\ninstead of\n<< client.closes"):
        assert forwarding() >> client.breaks << client.closes


def test_something_that_the_proxy_did_not_do() -> None:
    with pytest.raises(AssertionError, match=r"(?s)the proxy did nothing\ninstead of\n<< client\.closes"):
        assert forwarding() << client.closes


def test_something_that_is_left_out_in_the_middle() -> None:
    with pytest.raises(AssertionError, match=r"(?s)which nobody said before\n>> client.*<< logged\(204\)"):
        assert forwarding() >> instance(NOTHING) << client(NOTHING_TOLD) >> client(GET)


def test_something_that_is_left_out_at_the_end() -> None:
    with pytest.raises(AssertionError, match=r"(?s)which nobody said before\nthe end.*<< logged\(204\)"):
        assert forwarding() >> instance(NOTHING) << client(NOTHING_TOLD)


def test_another_connection() -> None:
    with pytest.raises(AssertionError, match=r"instead of\n<< instance.number\(2\).connects"):
        assert Dialogue() >> client(GET) << instance.number(2).connects


def test_another_instance() -> None:
    with pytest.raises(AssertionError, match=r"instead of\n<< instance.connects b'2'"):
        assert Dialogue(instances=2) >> client(GET) << instance.connects_to(2)


@pytest.mark.parametrize(
    ("status", "cause", "closing"),
    [(503, "connection_refused", False), (502, "connection_timeout", False), (502, "connection_refused", True)],
)
def test_another_error_reply(status: int, cause: str, closing: bool) -> None:
    with pytest.raises(AssertionError, match="instead of"):
        assert (
            Dialogue()
            >> client(GET)
            << instance.connects
            >> instance.refuses(111)
            << client.error(status, cause, closing=closing)
        )


def test_words_that_are_the_wrong_way_round() -> None:
    with pytest.raises(AssertionError, match="something that the proxy does"):
        assert Dialogue() >> client.closes
    with pytest.raises(AssertionError, match="the proxy never does this"):
        assert Dialogue() << passes(1)


def test_what_stays_taken() -> None:
    dialogue = forwarding() >> instance(NOTHING) << client(NOTHING_TOLD) << logged(204)
    dialogue.stage.environment.instances[0].inflight += 1
    with pytest.raises(AssertionError, match="counts a request that is over"):
        assert dialogue


def test_a_failure_in_a_callback_of_the_loop_is_told() -> None:
    dialogue = Dialogue()

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    client_ = dialogue.stage.client(1)
    client_.expired = fail  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        assert dialogue >> drains >> passes(2)
