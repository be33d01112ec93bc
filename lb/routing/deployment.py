"""What the engine says about a deployed environment, as workers need it: which instances there are, and what a request
may expect where there is none.

It stands in rows of the health table: one for the environment as a whole, one for each instance. This file knows how
it is written there and what follows for a request. It must not know the engine, nor how a request waits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from lb.errors import ProxyError
from lb.routing.health_table import ABSENT, ASLEEP, UNCHECKED, Condition

UNKNOWN, AWAY, NEVER, RUNNING, SLEEPING, WAKING, FAILED, LIMITED, STOPPED, GONE = (
    "",
    "away",
    "never",
    "running",
    "asleep",
    "waking",
    "failed",
    "limited",
    "stopped",
    "gone",
)
"""What is known of an environment: nothing yet, since the service has just begun; nothing, since no engine is there;
and what the engine says (`lb.apps.service.placements`)."""

_HELD = frozenset({UNKNOWN, SLEEPING, WAKING})  # requests wait
_CODES = {
    AWAY: "engine_unavailable",
    NEVER: "app_not_deployed",
    GONE: "app_not_deployed",
    STOPPED: "app_stopped",
    FAILED: "app_start_failed",
    LIMITED: "app_limit_reached",
}
_LATER = frozenset({FAILED, LIMITED})  # from `retry_at` on requests wait
_START = 30.0  # seconds that requests wait, unless the configuration says otherwise


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """One instance as its row has it; `endpoint` is `unix:/path` or `host:port`."""

    id: str
    name: str
    release: str
    endpoint: str

    def text(self) -> str:
        """What the row's `host` says."""
        return " ".join((self.id, self.name, self.release or "-", self.endpoint))

    @property
    def key(self) -> str:
        """What the log calls it."""
        return f"{self.name} ({self.release})"


def read_placed(condition: Condition | None) -> PlacedRow | None:
    """The instance that has this row; None where there is none."""
    if condition is None or condition.state == ABSENT:
        return None
    parts = condition.host.split(" ", 3)
    return PlacedRow(*parts) if len(parts) == 4 else None


def read_serving(condition: Condition) -> PlacedRow | None:
    """The same; None also for one that is about to end."""
    return None if condition.state == ASLEEP else read_placed(condition)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is to be expected of a deployed environment. `generation` rises with each change that the engine tells;
    `retry_at`, seconds since the epoch, is when a wake may be tried that has failed, or is not allowed yet.
    """

    state: str = UNKNOWN
    generation: int = 0
    release: str = ""
    cause: str = ""
    retry_at: float = 0.0

    def condition(self, since: float) -> Condition:
        """As its row has it."""
        text = f"{self.state} {self.generation}"
        return Condition(UNCHECKED, text, since, 0.0, self.release, self.retry_at, self.cause)


def read_outlook(condition: Condition | None) -> Outlook:
    """What a placement's row says."""
    if condition is None or not condition.host:
        return Outlook()
    state, _, generation = condition.host.partition(" ")
    return Outlook(state, int(generation or 0), condition.last, condition.error, condition.failed_at)


WakeAsked = Callable[[str, str], object]
"""Is told the app and the environment that a request waits for."""


class DeployedEnvironment:
    """What a worker knows of one deployed environment beside its instances.

    `quiet` are paths whose requests neither wake it nor keep it awake, `quiet_requests` how many of those it has
    served; `wake_timeout` is how long a request waits for it to wake. `on_wanted` is told once for each time that it
    sleeps and is asked for.
    """

    __slots__ = ("_app", "_environment", "_said", "on_wanted", "outlook", "quiet", "quiet_requests", "wake_timeout")

    def __init__(self, app: str, environment: str) -> None:
        self._app = app
        self._environment = environment
        self._said = False
        self.outlook = Outlook()
        self.wake_timeout = _START
        self.quiet: frozenset[bytes] = frozenset()
        self.quiet_requests = 0
        self.on_wanted: WakeAsked | None = None

    def follow(self, condition: Condition | None) -> None:
        """The row has changed."""
        self.outlook = read_outlook(condition)
        self._said = False

    def serves(self, target: bytes) -> None:
        """A request for this target is on its way."""
        if self.is_quiet(target):
            self.quiet_requests += 1

    def is_quiet(self, target: bytes) -> bool:
        """Whether nobody minds that the app does not answer this."""
        return bool(self.quiet) and target.partition(b"?")[0] in self.quiet

    def refusal(self, target: bytes, now: float) -> ProxyError | None:
        """Why a request that finds no instance fails; None if it is worth waiting, and then the app is woken if need
        be. `now` is in seconds since the epoch.
        """
        outlook = self.outlook
        state = outlook.state
        may_retry = state in _LATER and now >= outlook.retry_at
        if may_retry or state in _HELD:
            if self.is_quiet(target) and (state == SLEEPING or state in _LATER):
                return ProxyError("app_asleep")
            if (may_retry or state == SLEEPING) and not self._said and self.on_wanted is not None:
                self._said = True
                self.on_wanted(self._app, self._environment)
            return None
        if state in _LATER:
            return ProxyError(_CODES[state], retry_after=max(ceil(outlook.retry_at - now), 1))
        code = _CODES.get(state, "destination_unavailable")
        return ProxyError(code, self._command(state))

    def late(self) -> ProxyError:
        """Why a request fails that has waited for it too long."""
        if self.outlook.state == UNKNOWN:
            return ProxyError(_CODES[AWAY])
        return ProxyError("app_start_timeout")

    def is_held(self) -> bool:
        """Whether requests wait for it, rather than for one of its instances to have time."""
        return self.outlook.state in _HELD or self.outlook.state in _LATER

    def _command(self, state: str) -> str:
        """What to type, for causes that a command mends."""
        option = "staging" if self._environment == "staging" else "prod"
        if state in (NEVER, GONE):
            return f"lb deploy {self._app} --{option}"
        if state == STOPPED:
            return f"lb start {self._app}" + (" --staging" if option == "staging" else "")
        return ""
