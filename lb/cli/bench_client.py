"""The load generator of `lb bench` for machines without wrk: HTTP/1.1 GETs over keep-alive connections on asyncio.

It understands the framing of RFC 9112 section 6.3 well enough to find the end of a response, and ignores the content.
Errors are counted by class: connect, read (the connection ended, or the response was malformed), timeout, and the
status classes 4xx and 5xx.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import SplitResult

from lb.cli.bench_figures import Figures, percentiles_of

_PATIENCE_S = 10.0
_AFTER_FAILURE_S = 0.05
_STEP_S = 0.1
_PIECE = 256 * 1024


@dataclass(slots=True)
class _Tally:
    latencies: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    bytes_in: int = 0


@dataclass(frozen=True, slots=True)
class _Door:
    """Where to connect, and what to send."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    name: str
    request: bytes


class _BadResponseError(Exception):
    """The response cannot be framed."""


async def generate(target: SplitResult, connections: int, seconds: float, tick: Callable[[float], None]) -> Figures:
    """GET `target` over `connections` connections for `seconds`; `tick` gets the elapsed seconds."""
    door, tally = _door_of(target), _Tally()
    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(_keep_asking(door, tally)) for _ in range(connections)]
        while (passed := time.perf_counter() - began) < seconds:
            tick(passed)
            await asyncio.sleep(min(_STEP_S, seconds - passed))
        for task in running:
            task.cancel()
    took = time.perf_counter() - began
    return Figures(len(tally.latencies), took, tally.bytes_in, percentiles_of(tally.latencies), dict(tally.errors))


def _door_of(target: SplitResult) -> _Door:
    name = target.hostname or ""
    tls = None
    if target.scheme == "https":
        tls = ssl.create_default_context()
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
        tls.set_alpn_protocols(["http/1.1"])
    path = f"{target.path or '/'}{'?' + target.query if target.query else ''}"
    host = target.netloc.rpartition("@")[2]
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: lb-bench\r\nAccept: */*\r\n\r\n"
    # RFC 6761 section 6.3: these names need no resolver.
    address = "127.0.0.1" if name.endswith(".localhost") else name
    return _Door(address, target.port or (443 if tls else 80), tls, name, request.encode("ascii"))


async def _keep_asking(door: _Door, tally: _Tally) -> None:
    """Connect, send requests until the connection ends, and reconnect; until cancelled."""
    while True:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                reader, writer = await asyncio.open_connection(
                    door.host, door.port, ssl=door.tls, server_hostname=door.name if door.tls else None
                )
        except OSError:
            # TimeoutError is an OSError too: the connection was not accepted.
            tally.errors["connect"] += 1
            await asyncio.sleep(_AFTER_FAILURE_S)
            continue
        try:
            await _ask_until_closed(door, tally, reader, writer)
        except TimeoutError:
            tally.errors["timeout"] += 1
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError, _BadResponseError):
            tally.errors["read"] += 1
        finally:
            writer.close()
            with suppress(OSError):
                writer.transport.abort()


async def _ask_until_closed(
    door: _Door, tally: _Tally, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    reusable = True
    while reusable:
        began = time.perf_counter()
        writer.write(door.request)
        async with asyncio.timeout(_PATIENCE_S):
            status, reusable, size = await _read_response(reader)
        tally.bytes_in += size
        if status < 400:
            tally.latencies.append((time.perf_counter() - began) * 1e6)
        else:
            tally.errors[f"status {status // 100}xx"] += 1


async def _read_response(reader: asyncio.StreamReader) -> tuple[int, bool, int]:
    """Status, whether the connection may be used again, and the bytes read; interim responses are skipped."""
    status, size = 100, 0
    fields: dict[bytes, bytes] = {}
    while status < 200:
        head = await reader.readuntil(b"\r\n\r\n")
        size += len(head)
        first, *lines = head[:-4].split(b"\r\n")
        version, _, rest = first.partition(b" ")
        if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
            raise _BadResponseError(first)
        status = int(rest[:3])
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    reusable = b"close" not in fields.get(b"connection", b"").lower() and version != b"HTTP/1.0"
    if status in {204, 304}:
        return status, reusable, size
    if b"chunked" in fields.get(b"transfer-encoding", b"").lower():
        return status, reusable, size + await _skip_chunks(reader)
    if b"content-length" in fields:
        return status, reusable, size + await _skip(reader, int(fields[b"content-length"]))
    return status, False, size + await _skip_rest(reader)


async def _skip(reader: asyncio.StreamReader, count: int) -> int:
    left = count
    while left:
        piece = await reader.read(min(left, _PIECE))
        if not piece:
            raise EOFError
        left -= len(piece)
    return count


async def _skip_rest(reader: asyncio.StreamReader) -> int:
    size = 0
    while piece := await reader.read(_PIECE):
        size += len(piece)
    return size


async def _skip_chunks(reader: asyncio.StreamReader) -> int:
    total = 0
    while size := int((line := await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        total += len(line) + await _skip(reader, size + 2)
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        total += len(line)
    return total
