"""An HTTP/2 client on the library h2, which is strict about what it gets; and a way to send it frames of one's own.

`Http2Client` is one connection. A `Stream` remembers what came for one request. Every wait is bounded by the socket's
timeout. Knows nothing of the front door's process.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from tests.e2e.harness.client import HOST, Address, Client
from tests.e2e.harness.waiting import PATIENCE

Fields = list[tuple[str, str]]

_GOAWAY = 7


@dataclass
class Stream:
    """What came for one request so far. `reset` is the code of a RST_STREAM, None without one."""

    number: int
    interim: list[dict[str, str]] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    trailers: dict[str, str] | None = None
    ended: bool = False
    reset: int | None = None

    @property
    def status(self) -> int:
        return int(self.fields[":status"])

    @property
    def over(self) -> bool:
        return self.ended or self.reset is not None


def fields_of(method: str, path: str, *more: tuple[str, str], scheme: str = "http", host: str = HOST) -> Fields:
    """The fields of a request."""
    return [(":method", method), (":scheme", scheme), (":path", path), (":authority", host), *more]


class Http2Client:
    """One connection. Use it in a `with`. `goaways` are the codes and last streams that were told; `credit` False keeps
    the client from giving credit for the data that it gets.
    """

    def __init__(
        self,
        address: Address | str,
        *,
        tls: ssl.SSLContext | None = None,
        name: str | None = HOST,
        credit: bool = True,
        settings: dict[Any, int] | None = None,
        receive_buffer: int = 0,
    ) -> None:
        self.client = Client(address, tls=tls, name=name, receive_buffer=receive_buffer)
        self.sock = self.client.sock
        self.scheme = "https" if tls else "http"
        config = h2.config.H2Configuration(
            client_side=True, header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self.h2 = h2.connection.H2Connection(config)
        self.credit = credit
        self.streams: dict[int, Stream] = {}
        self.goaways: list[tuple[int, int]] = []
        self.settings: dict[int, int] = {}
        self.pongs = 0
        self.ended = False
        self._frames = bytearray()
        self.h2.initiate_connection()
        if settings:
            self.h2.update_settings(settings)
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.client.close()

    # Sending

    def flush(self) -> None:
        """Send what h2 has written."""
        data = self.h2.data_to_send()
        if data:
            self.sock.sendall(data)

    def raw(self, data: bytes) -> None:
        """Send bytes of one's own; the other side may have closed."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self.sock.sendall(data)

    def begin(self, fields: Fields, *, ended: bool = True, flush: bool = True) -> Stream:
        """Begin a request with these fields."""
        number = self.h2.get_next_available_stream_id()
        self.h2.send_headers(number, fields, end_stream=ended)
        stream = self.streams[number] = Stream(number)
        if flush:
            self.flush()
        return stream

    def get(self, path: str = "/", *more: tuple[str, str], host: str = HOST, method: str = "GET") -> Stream:
        return self.begin(fields_of(method, path, *more, scheme=self.scheme, host=host))

    def post(self, path: str, body: bytes, *more: tuple[str, str], trailers: Iterable[tuple[str, str]] = ()) -> Stream:
        """Begin a POST and send all of its body, as the windows allow."""
        stream = self.begin(fields_of("POST", path, *more, scheme=self.scheme), ended=False)
        self.send(stream, body, trailers=list(trailers))
        return stream

    def send(self, stream: Stream, body: bytes, *, ended: bool = True, trailers: Fields | None = None) -> None:
        """Send a part of a body, or all of its rest."""
        view = memoryview(body)
        while view and not stream.over:
            window = min(self.h2.local_flow_control_window(stream.number), self.h2.max_outbound_frame_size, len(view))
            if window <= 0:
                self.read()
                continue
            self.h2.send_data(stream.number, bytes(view[:window]), end_stream=False)
            view = view[window:]
            self.flush()
        if ended and not stream.over:
            if trailers:
                self.h2.send_headers(stream.number, trailers, end_stream=True)
            else:
                self.h2.end_stream(stream.number)
            self.flush()

    # Receiving

    def read(self) -> bool:
        """Receive once; False at the end of the connection."""
        try:
            data = self.sock.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            data = b""
        if not data:
            self.ended = True
            return False
        for event in self.h2.receive_data(self._without_goaways(data)):
            self._note(event)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self.flush()
        return True

    def read_until(self, condition: Callable[[], Any]) -> Any:
        """Receive until this is true; AssertionError if the connection ends before."""
        while not (value := condition()):
            assert self.read(), f"the connection ended; {self.goaways=} {self.streams=}"
        return value

    def finish(self, *streams: Stream) -> None:
        """Receive until these are over."""
        self.read_until(lambda: all(stream.over for stream in streams))

    def ask(self, path: str = "/", *more: tuple[str, str], host: str = HOST, method: str = "GET") -> Stream:
        """One request and its whole response."""
        stream = self.get(path, *more, host=host, method=method)
        self.finish(stream)
        return stream

    def read_to_end(self) -> None:
        """Receive until the other side closes."""
        while self.read():
            pass

    def _without_goaways(self, data: bytes) -> bytes:
        """Whole frames, and no GOAWAY: h2 takes the first one for the end, which it is not (RFC 9113 section 6.8)."""
        self._frames += data
        whole = bytearray()
        while len(self._frames) >= 9 and len(self._frames) >= 9 + (size := int.from_bytes(self._frames[:3])):
            frame = bytes(self._frames[: 9 + size])
            del self._frames[: 9 + size]
            if frame[3] == _GOAWAY:
                self.goaways.append((int.from_bytes(frame[13:17]), int.from_bytes(frame[9:13])))
            else:
                whole += frame
        return bytes(whole)

    def _note(self, event: h2.events.Event) -> None:
        stream = self.streams.get(getattr(event, "stream_id", 0) or 0)
        if isinstance(event, h2.events.RemoteSettingsChanged):
            self.settings |= {int(key): change.new_value for key, change in event.changed_settings.items()}
        elif isinstance(event, h2.events.PingAckReceived):
            self.pongs += 1
        elif stream is None:
            return
        elif isinstance(event, h2.events.InformationalResponseReceived):
            stream.interim.append(_texts(event))
        elif isinstance(event, h2.events.ResponseReceived):
            stream.fields = _texts(event)
        elif isinstance(event, h2.events.TrailersReceived):
            stream.trailers = _texts(event)
        elif isinstance(event, h2.events.DataReceived):
            stream.body += event.data
            if self.credit and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, stream.number)
        elif isinstance(event, h2.events.StreamEnded):
            stream.ended = True
        elif isinstance(event, h2.events.StreamReset):
            stream.reset = int(event.error_code or 0)


def _texts(event: Any) -> dict[str, str]:
    """The fields of a head, which are text as the connection is configured."""
    return {str(name): str(value) for name, value in event.headers}


__all__ = ["HOST", "PATIENCE", "Http2Client", "Stream", "fields_of"]
