"""How much one HTTP/2 connection may ask for that is cheap to send and not to handle: resets, pings, settings, nothing.

What an honest client does a little of, a flood does without end. So each kind has a bucket of tokens, or is measured by
what was done on the connection: updates of windows by the DATA that went out (as Envoy does), small DATA frames by
their payload (as nginx does), pings by answers (as gRPC does). A client that goes on regardless is told to calm down
(ENHANCE_YOUR_CALM), which ends the connection. The bounds on heads are in `frames` and `message_text`, those on streams
are the session's, which also says what of all this happened to it.

- Resets (CVE-2023-44487, CVE-2025-8671): of streams whose exchange had not ended, by the client, or by us for a fault
  of the client's: 200, and 33 a second.
- SETTINGS, PING, PRIORITY, PRIORITY_UPDATE (CVE-2019-9512, -9515, -9516): 100, and 10 a second; one more with each
  stream, and a PING costs nothing after an answer.
- Empty DATA frames that end nothing (CVE-2019-9518): ten in a row. What DATA frames cost, in bytes on the line and 31
  more for each, is at most eight times their payload, and 1 MiB, of which 64 KiB come back in a second (CVE-2019-9511).
- WINDOW_UPDATE: five, two more with each stream, and twenty with each DATA frame that went out, up to 10,000. Changes
  of INITIAL_WINDOW_SIZE: ten, and one every ten seconds (CVE-2019-9517).
- All else that is odd, such as unknown frames, streams refused, heads in small fragments: glitches, 500, and 50 a
  second. At three quarters of that the connection is to be replaced by another one.

Pure: the time is passed in, in seconds. Plain Python; `frame_budgets.pxd` gives it types when it is compiled.
"""

from __future__ import annotations

from lb.http.frames import DATA, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, UNKNOWN, WINDOW_UPDATE, FrameReader
from lb.http.h2_errors import ENHANCE_YOUR_CALM, SessionError

_RESETS = (200.0, 33.0)  # tokens, and how many come back in a second
_CONTROLS = (100.0, 10.0)
_WINDOWS = (10.0, 0.1)
_GLITCHES = (500.0, 50.0)
_EMPTY_IN_A_ROW = 10
_DRIBBLE = (1048576.0, 65536.0)  # bytes that DATA may cost beyond its payload's share
_SHARE = 8
_FRAME_COST = 40  # bytes that are handled in the time of one frame
_UPDATES = 5
_UPDATES_A_STREAM = 2
_UPDATES_A_FRAME = 20
_MOST_UPDATES = 10_000
_FRAGMENT = 4096  # bytes that a fragment of a head may be expected to have
_LITTLE = 0.25  # of a glitch


class TokenBucket:
    """`burst` tokens, of which `rate` come back in a second."""

    __slots__ = ("_burst", "_rate", "_since", "_used")

    def __init__(self, burst: float, rate: float, now: float) -> None:
        self._burst = burst
        self._rate = rate
        self._used = 0.0
        self._since = now

    def take(self, tokens: float, now: float) -> bool:
        """Whether there were so many, which are gone then."""
        used = self._used - (now - self._since) * self._rate
        used = max(used, 0.0)
        self._since = now
        self._used = used
        if used + tokens > self._burst:
            return False
        self._used = used + tokens
        return True

    def give(self, tokens: float) -> None:
        """Put back tokens; the bucket is never more than full."""
        self._used = max(self._used - tokens, 0.0)

    def is_below(self, share: float) -> bool:
        """Whether less than this share of it was left the last time that some were taken."""
        return self._burst - self._used < self._burst * share


class FrameBudgets:
    """One connection's. `wants_goaway` says that so many glitches were seen that the client should make another one."""

    __slots__ = (
        "_answered",
        "_controls",
        "_dribble",
        "_empty",
        "_glitches",
        "_resets",
        "_updates",
        "_windows",
        "wants_goaway",
    )

    def __init__(self, now: float) -> None:
        self._resets = TokenBucket(*_RESETS, now)
        self._controls = TokenBucket(*_CONTROLS, now)
        self._windows = TokenBucket(*_WINDOWS, now)
        self._dribble = TokenBucket(*_DRIBBLE, now)
        self._glitches = TokenBucket(*_GLITCHES, now)
        self._empty = 0  # DATA frames in a row
        self._updates = _UPDATES  # updates of windows that may still come
        self._answered = False  # something was sent since the last PING
        self.wants_goaway = False

    def received(self, frames: FrameReader, now: float) -> None:
        """Count the event that the reader gave last. Raises SessionError."""
        kind = frames.kind
        if kind == DATA:
            if frames.begins:
                self._data(frames.length, frames.padding, frames.end_stream, now)
        elif kind == HEADERS:
            self._empty = 0
            if frames.fragments:
                self._fragments(frames, now)
        elif kind == WINDOW_UPDATE:
            self._updates -= 1
            if self._updates < 0:
                raise _flood("WINDOW_UPDATE frames")
        else:
            self._control(kind, now)
        if frames.fault:
            self.glitch(1.0, now)

    def _data(self, length: int, padding: int, ended: bool, now: float) -> None:
        payload = length - padding
        if payload:
            self._empty = 0
        elif not ended:
            self._empty += 1
            if self._empty > _EMPTY_IN_A_ROW:
                raise _flood("empty DATA frames")
        excess = _FRAME_COST + length - _SHARE * payload
        if excess <= 0:
            self._dribble.give(-excess)
        elif not self._dribble.take(excess, now):
            raise _flood("DATA frames with little payload")

    def _fragments(self, frames: FrameReader, now: float) -> None:
        """A large head needs several fragments, a small one is not sent in many."""
        excess = frames.fragments - len(frames.payload) // _FRAGMENT - 1
        if excess > 0:
            self.glitch(excess, now)

    def _control(self, kind: int, now: float) -> None:
        if kind in (RST_STREAM, UNKNOWN):  # `reset_by_client` counts the former where it costs something
            self.glitch(_LITTLE, now)
        elif kind == GOAWAY:
            self.glitch(1.0, now)
        elif kind == PING and self._answered:
            self._answered = False
        elif not self._controls.take(1.0, now):
            raise _flood("SETTINGS frames" if kind == SETTINGS else "PING frames" if kind == PING else "priorities")

    # What only the session knows

    def reset_by_client(self, now: float) -> None:
        """The client has reset a stream whose exchange had not ended."""
        if not self._resets.take(1.0, now):
            raise _flood("reset streams")

    def reset_by_us(self, now: float) -> None:
        """A stream had to be reset for a fault of the client's."""
        if not self._resets.take(1.0, now):
            raise _flood("streams that had to be reset")

    def refused(self, now: float) -> None:
        """A stream more than allowed was refused."""
        self.glitch(1.0, now)

    def glitch(self, weight: float, now: float) -> None:
        """Something odd, that is no error by itself."""
        if not self._glitches.take(weight, now):
            raise _flood("oddities")
        if self._glitches.is_below(0.25):
            self.wants_goaway = True

    def window_change(self, now: float) -> None:
        """The client has changed the size of all windows."""
        if not self._windows.take(1.0, now):
            raise _flood("changes of INITIAL_WINDOW_SIZE")

    def opened(self) -> None:
        """A stream was opened."""
        self._updates = min(self._updates + _UPDATES_A_STREAM, _MOST_UPDATES)
        self._controls.give(1.0)

    def sent_data(self) -> None:
        """A DATA frame went out."""
        self._updates = min(self._updates + _UPDATES_A_FRAME, _MOST_UPDATES)
        self._answered = True


def _flood(what: str) -> SessionError:
    return SessionError(ENHANCE_YOUR_CALM, f"too many {what}")
