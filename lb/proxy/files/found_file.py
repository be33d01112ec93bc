"""What was found for a path: a file as it is, its compressed siblings, and what was compressed of it here.

Each form is a representation of its own, with its own strong tag (RFC 9110 8.8.3.3) and a head that is made once. Which
one a client gets is for `choose` to say: a sibling that it accepts comes first, since it costs nothing; what has none
is compressed here as the domain's `compression` says, once for as long as it is remembered, larger files each time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.utils import formatdate

from lb.http.conditions import Validators
from lb.http.head import RequestHead
from lb.http.media_types import media_type_of
from lb.http.negotiate import choose_encoding, is_compressible
from lb.proxy.files.open_file import OpenFile
from lb.proxy.filters.compress import compress_whole, has_room
from lb.routing.compression import Compression

AT_ONCE = 262144
"""Bytes of the largest file that is compressed as a whole: about a millisecond."""


class Representation:
    """One form of a file. `kept` are the field lines that a 304 has, too; `about` those about the body, but for its
    length; `lines` the whole head of a 200. `streamed` says that `file` is compressed on its way, so that no length is
    told.
    """

    __slots__ = ("about", "coding", "content_type", "file", "kept", "lines", "size", "streamed", "validators")

    def __init__(
        self,
        file: OpenFile,
        content_type: bytes,
        coding: bytes,
        shared: bytes,
        made: bytes | None = None,
        *,
        streamed: bool = False,
    ) -> None:
        """`coding` is the content coding, b"" for none; `shared` are field lines that all forms have; `made` is the
        body where it was compressed here.
        """
        self.file = file if made is None else _Made(file, made)
        self.content_type = content_type
        self.coding = coding
        self.streamed = streamed
        self.size = self.file.size
        suffix = b"-" + coding if coding else b""
        tag = b'"%x-%x%b"' % (file.modified, file.size, suffix)
        self.validators = Validators(tag, file.dated)
        date = formatdate(file.dated, usegmt=True).encode()
        self.kept = b"Last-Modified: %b\r\nETag: %b\r\n" % (date, tag) + shared
        about = b"Content-Type: %b\r\n" % content_type
        if coding:
            about += b"Content-Encoding: %b\r\n" % coding
        if made is None and not streamed:
            about += b"Accept-Ranges: bytes\r\n"
        self.about = about + b"X-Content-Type-Options: nosniff\r\n"
        length = b"" if streamed else b"Content-Length: %d\r\n" % self.size
        self.lines = b"HTTP/1.1 200 OK\r\n" + self.about + length + self.kept


class _Made(OpenFile):
    """What was compressed of a file: bytes in memory."""

    __slots__ = ()

    def __init__(self, file: OpenFile, data: bytes) -> None:
        self.fd = -1
        self.data = data
        self.size = len(data)
        self.modified = file.modified
        self.dated = file.dated


class FoundFile:
    """A file, as it may be sent. `looked` is when it was looked at, in seconds; `location` is where the client is sent
    instead: it has asked for a directory without its slash. `weight` are the bytes of memory that it takes, about, and
    `grown` is told of more of them; `descriptors` counts those that it has open.
    """

    __slots__ = (
        "_compression",
        "_made",
        "_shared",
        "coded",
        "descriptors",
        "grown",
        "location",
        "looked",
        "offered",
        "plain",
        "weight",
    )

    def __init__(
        self,
        plain: OpenFile,
        name: bytes,
        coded: Mapping[bytes, OpenFile],
        cache_control: bytes,
        compression: Compression | None,
    ) -> None:
        """`coded` are the compressed siblings by their coding."""
        self.looked = 0.0
        self.location: bytes | None = None
        self.grown: Callable[[int], None] = _nobody
        content_type = media_type_of(name)
        self._compression = _suitable(compression, plain, content_type, cache_control)
        shared = b"Cache-Control: %b\r\n" % cache_control if cache_control else b""
        if coded or self._compression is not None:
            shared += b"Vary: Accept-Encoding\r\n"
        self._shared = shared
        self.plain = Representation(plain, content_type, b"", shared)
        self.coded = {coding: Representation(file, content_type, coding, shared) for coding, file in coded.items()}
        self.offered = tuple(self.coded)
        self._made: dict[bytes, Representation] = {}
        files = (plain, *coded.values())
        self.weight = sum(len(file.data or b"") for file in files)
        self.descriptors = sum(file.fd >= 0 for file in files)

    def choose(self, head: RequestHead, can_stream: bool) -> Representation:
        """The form that this client gets; `can_stream` says whether it can be sent a body without a length. Raises
        OSError.
        """
        if not self.offered and self._compression is None:
            return self.plain
        accepted = head.accept_encoding()
        if not accepted:
            return self.plain
        if self.offered:
            coding = choose_encoding(accepted, self.offered)
            if coding is not None:
                return self.coded[coding]
        if self._compression is None or head.ranged or not can_stream:
            return self.plain  # ranges are those of the file
        coding = choose_encoding(accepted, self._compression.codings)
        if coding is None:
            return self.plain
        form = self._made.get(coding) or self._make(coding)
        return self.plain if form.streamed and not has_room() else form

    def _make(self, coding: bytes) -> Representation:
        plain, file = self.plain, self.plain.file
        if file.size <= AT_ONCE:
            data = compress_whole(coding, file.read(0, file.size))
            made = Representation(file, plain.content_type, coding, self._shared, data)
            self.weight += made.size
            self.grown(made.size)
        else:
            made = Representation(file, plain.content_type, coding, self._shared, streamed=True)
        self._made[coding] = made
        return made

    def keep_from(self, before: FoundFile) -> None:
        """Take over what was compressed of the same file before."""
        if self.plain.file.is_same(before.plain.file) and self._shared == before._shared:
            self._made = before._made
            for form in self._made.values():
                if not form.streamed:
                    self.weight += form.size


def _nobody(_size: int) -> None:
    pass


def _suitable(
    compression: Compression | None, file: OpenFile, content_type: bytes, cache_control: bytes
) -> Compression | None:
    if compression is None or file.size < compression.min_size or b"no-transform" in cache_control.lower():
        return None
    return compression if is_compressible(content_type, compression.types) else None
