"""Where a reload gets a changed configuration from, and what it gets: the two steps that can fail, and how they end.

The first step reads what others keep, files and names, and may take as long as these do; the second one changes what
is here, and is quick. Nothing of either is in use before the reload says so.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lb.config.plan import Plan
from lb.config.problems import ConfigErrors, in_order
from lb.health.dns import Found
from lb.process.child import Role
from lb.process.start_error import StartError
from lb.tls.files.certificate import TlsError


@dataclass(frozen=True, slots=True)
class ReloadOutcome:
    """How a reload went: `problems` say why it changed nothing, as text for people; none if it succeeded.
    `bad_configuration` says that they are about what is written in the configuration, certificates included.
    `unchanged`: it succeeded, and the configuration said the same as before.
    """

    problems: tuple[str, ...] = ()
    bad_configuration: bool = False
    unchanged: bool = False

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True)
class Reading:
    """What a configuration comes to, and what names of instances in it that are new were found to be."""

    plan: Plan
    found: Mapping[str, Found]


@dataclass(frozen=True, slots=True)
class Read:
    """What came of reading, and what it cost in seconds of the processor."""

    result: Reading | ReloadOutcome
    cost: float


class NextGeneration(Protocol):
    """The next edition, not in use yet. `roles` are all places that there will be."""

    @property
    def plan(self) -> Plan: ...
    @property
    def unchanged(self) -> bool:
        """The configuration says the same as the one in effect. What it leads to, files and names, may have changed."""

    @property
    def roles(self) -> Sequence[Role]: ...
    @property
    def sockets(self) -> Sequence[socket.socket]:
        """Those that it adds, and those that it gives up."""

    def listen(self) -> None:
        """The last step that can fail: raises OSError."""

    def put_in_place(self) -> None:
        """From now on children begin with it."""

    def finish(self) -> None:
        """Nobody uses what it replaced any more."""

    def give_up(self) -> None:
        """Everything stays as it was."""


class Plans(Protocol):
    """Where changes come from."""

    def read(self) -> Reading:
        """The configuration, read anew. It changes nothing here, so another process may do it.

        Raises ConfigErrors, TlsError or StartError.
        """

    def next_change(self, reading: Reading, busy: Collection[int]) -> NextGeneration:
        """What that means for a service whose workers, those that retire included, have these slots.

        Raises TlsError or StartError.
        """

    def read_certificates(self) -> None:
        """Their files have changed: children that begin from now on present them as they are now."""

    def worker_gone(self, slot: int) -> None:
        """A worker that retired has ended."""

    def settle(self) -> None:
        """Every child goes by the configuration in effect: what others needed may be taken back."""


class NoPlans:
    """For a service that was not made from anything that could change."""

    def read(self) -> Reading:
        raise StartError("there is no configuration file to be read anew")

    def next_change(self, reading: Reading, busy: Collection[int]) -> NextGeneration:
        raise NotImplementedError("nothing was read")

    def read_certificates(self) -> None:
        """There are none."""

    def worker_gone(self, slot: int) -> None:
        """It leaves nothing behind."""

    def settle(self) -> None:
        """There is nothing to be taken back."""


def read(plans: Plans) -> Read:
    """The first step, whatever comes of it."""
    began = time.process_time()
    try:
        result: Reading | ReloadOutcome = plans.read()
    except (ConfigErrors, StartError, TlsError, OSError) as error:
        result = failure(error)
    return Read(result, time.process_time() - began)


def failure(error: Exception) -> ReloadOutcome:
    """How a reload went that ended with this error of one of the two steps."""
    if isinstance(error, ConfigErrors):
        found = in_order((*error.problems, *error.warnings))
        return ReloadOutcome(tuple(map(str, found)), bad_configuration=True)
    return ReloadOutcome((str(error),), isinstance(error, TlsError))
