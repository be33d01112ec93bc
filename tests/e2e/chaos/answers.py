"""An answer as a client sees it, read strictly; what ends before its end is Cut, and says whether a head had come."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """A whole response. `cause` is the front door's own error, "" for what an instance said."""

    status: int
    cause: str
    body: bytes
    keep_alive: bool


class Cut(Exception):  # noqa: N818  it is a finding, not a fault of this side
    """The connection ended; `begun` says that a response's head had come."""

    def __init__(self, begun: bool) -> None:
        super().__init__(f"begun: {begun}")
        self.begun = begun


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """The next response to a GET, POST or PUT. Raises Cut, or AssertionError for one that is none."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, OSError) as error:
        raise Cut(begun=False) from error
    lines = head.decode("latin-1").split("\r\n")[:-2]
    version, status, _ = lines[0].split(" ", 2)
    assert version == "HTTP/1.1", head
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    try:
        body = await _body(reader, fields)
    except (asyncio.IncompleteReadError, OSError) as error:
        raise Cut(begun=True) from error
    cause = fields.get("proxy-status", "").partition("error=")[2].partition(";")[0]
    return Answer(int(status), cause, body, fields.get("connection") != "close")


async def _body(reader: asyncio.StreamReader, fields: dict[str, str]) -> bytes:
    if fields.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(fields["content-length"]))
    body = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line, 16)
        data = await reader.readexactly(size + 2)
        assert data.endswith(b"\r\n"), data
        if not size:
            return body
        body += data[:-2]
