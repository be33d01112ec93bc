"""The words of dialogues: what may happen (behind `>>`), and what the proxy may do (behind `<<`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from tests.proxy.dialogue.stage import Deed, Stage
from tests.proxy.dialogue.wires import END, RESET


def _cannot_happen(_stage: Stage) -> None:
    raise AssertionError("this is something that the proxy does")


@dataclass(frozen=True, slots=True)
class Word:
    """`happen` makes it happen; `is_done` says whether a deed is it, None where the proxy never does such a thing."""

    name: str
    happen: Callable[[Stage], object] = _cannot_happen
    is_done: Callable[[Deed], bool] | None = None

    def __str__(self) -> str:
        return self.name


class Side:
    """Connections of one side, one of them."""

    def __init__(self, who: str, number: int) -> None:
        self._who = who
        self._number = number

    def number(self, number: int) -> Self:
        """The connection of this side that was made as this one, counted from 1."""
        return type(self)(self._who, number)

    def _wire(self, stage: Stage) -> Any:
        return stage.client(self._number) if self._who == "client" else stage.upstream(self._number)

    def _word(
        self, word: str, happen: Callable[[Any], object] | None = None, *, is_deed: bool = True, data: bytes = b""
    ) -> Word:
        deed = Deed(self._who, self._number, word, data)
        act = _cannot_happen if happen is None else lambda stage: happen(self._wire(stage))
        return Word(str(deed), act, deed.__eq__ if is_deed else None)

    def __call__(self, data: bytes) -> Word:
        return self._word("data", partial(_say, data=data), data=data)

    @property
    def ends(self) -> Word:
        return self._word("ends", lambda wire: wire.line.come(END))

    @property
    def breaks(self) -> Word:
        return self._word("breaks", lambda wire: wire.line.come(RESET))

    @property
    def closes(self) -> Word:
        return self._word("closes")

    @property
    def vanishes(self) -> Word:
        return self._word("vanishes", lambda wire: wire.line.vanish(), is_deed=False)

    @property
    def stops_reading(self) -> Word:
        return self._word("stops_reading", lambda wire: wire.line.stop_reading(), is_deed=False)

    @property
    def reads(self) -> Word:
        return self._word("reads", lambda wire: wire.line.read(None), is_deed=False)

    def reads_some(self, most: int) -> Word:
        return self._word(f"reads_some({most})", lambda wire: wire.line.read(most), is_deed=False)

    @property
    def pauses(self) -> Word:
        return self._word("pauses")

    @property
    def resumes(self) -> Word:
        return self._word("resumes")


def _say(wire: Any, data: bytes) -> None:
    wire.line.come(data)


class ClientSide(Side):
    """A client's connections."""

    @property
    def connects(self) -> Word:
        """Nothing is said yet."""
        return self._word("connects", lambda _: None, is_deed=False)

    @property
    def speaks_plainly(self) -> Word:
        """What comes where a TLS handshake was to be is a letter."""
        return self._word("speaks_plainly", lambda wire: wire.unsecured(), is_deed=False)

    def error(self, status: int, cause: str, *, closing: bool = False) -> Word:
        """A whole error reply; `closing` says that the connection ends behind it, as the reply tells."""

        def is_it(deed: Deed) -> bool:
            if (deed.who, deed.number, deed.word) != (self._who, self._number, "data"):
                return False
            lines, _, body = deed.data.partition(b"\r\n\r\n")
            fields = lines.split(b"\r\n")
            return (
                fields[0].startswith(b"HTTP/1.1 %d " % status)
                and any(f"; error={cause}" in field.decode() for field in fields if field.startswith(b"Proxy-Status: "))
                and (b"Connection: close" in fields) == closing
                and b"Content-Length: %d" % len(body) in fields
            )

        more = ", closing=True" if closing else ""
        return Word(f"{self._who}.error({status}, {cause!r}{more})", is_done=is_it)


class InstanceSide(Side):
    """Connections to instances."""

    @property
    def connects(self) -> Word:
        """To any instance."""
        deed = Deed(self._who, self._number, "connects")
        return Word(str(deed), is_done=lambda done: done == Deed(deed.who, deed.number, deed.word, done.data))

    def connects_to(self, instance: int) -> Word:
        """To this one, counted from 1."""
        return self._word("connects", data=b"%d" % instance)

    @property
    def accepts(self) -> Word:
        return self._word("accepts", lambda wire: wire.conclude(0), is_deed=False)

    def refuses(self, error: int) -> Word:
        return self._word(f"refuses({error})", lambda wire: wire.conclude(error), is_deed=False)


client = ClientSide("client", 1)
instance = InstanceSide("instance", 1)


def passes(seconds: float) -> Word:
    return Word(f"passes({seconds})", lambda stage: stage.wait(seconds))


def logged(status: int, cause: str = "") -> Word:
    deed = Deed("log", 1, f"{status} {cause}".strip())
    return Word(f"logged({deed.word})", is_done=deed.__eq__)


def fails_at_once(error: int) -> Word:
    return Word(f"fails_at_once({error})", lambda stage: stage.outcomes.append(error))


connects_at_once = Word("connects_at_once", lambda stage: stage.outcomes.append(0))
drains = Word("drains", lambda stage: stage.engine.drain())
is_cut = Word("is_cut", lambda stage: stage.engine.cut())


def together(*words: Word) -> Word:
    """All of these before the proxy does anything about one of them."""

    def happen(stage: Stage) -> None:
        for word in words:
            word.happen(stage)

    return Word(f"together({', '.join(word.name for word in words)})", happen)
