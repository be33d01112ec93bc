"""How an answer is written to an HTTP/1 client: the parts of its head that belong to this connection alone.

It knows Connection and Transfer-Encoding, what HTTP/1.0 lacks, and what may be sent before a head to find out whether
the client is still there. It does not know requests, nor when anything is due.
"""

from __future__ import annotations

from lb.proxy.http1.client_probe import ClientProbe
from lb.proxy.http1.message_writer import MessageWriter


class ResponseWriter(MessageWriter):
    """A client's connection, for writing answers. `can_stream` is False for an HTTP/1.0 request."""

    __slots__ = ("_probe",)

    _probe: ClientProbe | None

    def set_up(self) -> None:
        MessageWriter.set_up(self)
        self._probe = None

    def head(self, lines: bytes, date: bytes, persistent: bool, streamed: bool) -> None:
        if not persistent:
            end = b"Connection: close\r\n\r\n"
        else:
            end = b"\r\n" if self.can_stream else b"Connection: keep-alive\r\n\r\n"
        if streamed:
            end = b"Transfer-Encoding: chunked\r\n" + end
        text = b"".join((lines, date, end))
        self._opening = text if self._probe is None else self._probe.rest(text)
        self._chunking = streamed

    def interim(self, lines: bytes) -> None:
        self._send_at_once(lines + b"\r\n")

    def switch(self, lines: bytes, protocol: bytes) -> None:
        self._send_at_once(lines + b"Connection: Upgrade\r\nUpgrade: " + protocol + b"\r\n\r\n")
        self.begin(b"", False)

    def offered(self, lines: bytes, protocol: bytes) -> bytes:
        if not self.can_stream:
            return lines
        return lines + b"Upgrade: " + protocol + b"\r\nConnection: upgrade\r\n"  # RFC 9110 15.5.22

    def probe(self, head_out: bool) -> None:
        if self._probe is None:
            self._probe = ClientProbe()
        if not head_out:
            self.send(self._probe.of_status_line())
        elif self._chunking:
            self.send(self._probe.of_chunk_size())

    def _send_at_once(self, head: bytes) -> None:
        """Send the rest of this head: a probe may have sent its beginning."""
        if self._probe is None:
            self.send(head)
        else:
            self.send(self._probe.rest(head))
            self._probe.begin_again()
