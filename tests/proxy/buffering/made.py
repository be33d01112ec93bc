"""Buffers over a disk that only a test moves."""

from __future__ import annotations

import asyncio
from typing import cast

from lb.proxy.buffering.disk_writer import DiskWriter
from lb.proxy.buffering.request_buffers import RequestBuffers
from lb.routing.buffered_bytes import BufferedBytes
from tests.proxy.exchange.fakes import FakeDisk


def made_with(disk: FakeDisk, on_disk: BufferedBytes) -> RequestBuffers:
    """The buffers of one worker, without a loop."""
    made = RequestBuffers(cast("asyncio.AbstractEventLoop", None), lambda *_: None, on_disk)
    made.writer = cast("DiskWriter", disk)
    return made
