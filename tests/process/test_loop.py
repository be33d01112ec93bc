"""The worker's event loop: a fault is told and costs nobody else anything."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from lb.process.loop import loop_name, new_loop


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = new_loop()
    yield loop
    loop.close()


def test_it_is_uvloop_where_that_is_installed(loop: asyncio.AbstractEventLoop) -> None:
    pytest.importorskip("uvloop")
    assert loop_name().startswith("uvloop ")
    assert type(loop).__module__.startswith("uvloop")


def test_an_exception_is_logged_with_its_traceback_and_the_loop_goes_on(
    loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ValueError("a fault")

    loop.call_soon(fail)
    loop.call_soon(loop.stop)
    loop.run_forever()
    [record] = caplog.records
    assert (record.name, record.levelno) == ("lb.worker", logging.ERROR)
    assert "a fault" in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize(
    "context",
    [
        {"message": "handed a class", "exception": ConnectionResetError},
        {"message": "handed something else", "exception": "text"},
        {"message": "handed nothing"},
        {},
    ],
)
def test_whatever_the_handler_is_given_it_logs_and_never_raises(
    loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture, context: dict[str, object]
) -> None:
    loop.call_exception_handler(context)
    [record] = caplog.records
    assert str(context.get("message", "unhandled exception in the event loop")) in record.getMessage()
