"""The two steps of a reload that can fail, and their outcomes.

The first step reads files and looks up names, and may take long; the second one prepares the change here, and is quick.
Neither takes effect before the reload says so.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lb.config.plan import Plan
from lb.config.problems import ConfigErrors, in_order
from lb.health.dns import ResolvedName
from lb.process.child import Role
from lb.process.start_error import StartError
from lb.tls.files.certificate import TlsError


@dataclass(frozen=True, slots=True)
class ReloadOutcome:
    """The outcome of a reload: `problems` say why it changed nothing, as text for people; empty if it succeeded.
    `bad_configuration`: they are about the configuration itself, certificates included. `unchanged`: it succeeded, and
    the configuration was the same as before.
    """

    problems: tuple[str, ...] = ()
    bad_configuration: bool = False
    unchanged: bool = False

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True)
class Reading:
    """The new plan, and the addresses of instance names that are new."""

    plan: Plan
    found: Mapping[str, ResolvedName]


@dataclass(frozen=True, slots=True)
class Read:
    """The result of reading, and its cost in CPU seconds."""

    result: Reading | ReloadOutcome
    cost: float


class NextGeneration(Protocol):
    """The next edition, not in use yet. `roles` are all of its places."""

    @property
    def plan(self) -> Plan: ...
    @property
    def unchanged(self) -> bool:
        """The configuration equals the one in effect. The files and names in it may have changed."""

    @property
    def roles(self) -> Sequence[Role]: ...
    @property
    def sockets(self) -> Sequence[socket.socket]:
        """The sockets that it adds, and those that it gives up."""

    def listen(self) -> None:
        """The last step that can fail: raises OSError."""

    def put_in_place(self) -> None:
        """From now on new children start with it."""

    def finish(self) -> None:
        """What it replaced is no longer in use."""

    def give_up(self) -> None:
        """Everything stays as it was."""


class Plans(Protocol):
    """The source of changes."""

    def read(self) -> Reading:
        """Reads the configuration again. It changes nothing here, so another process may do it.

        Raises ConfigErrors, TlsError or StartError.
        """

    def next_change(self, reading: Reading, busy: Collection[int]) -> NextGeneration:
        """The next edition, for a service whose workers, retiring ones included, have these slots.

        Raises TlsError or StartError.
        """

    def read_certificates(self) -> None:
        """Their files have changed: new children present the new ones."""

    def worker_gone(self, slot: int) -> None:
        """A retired worker has ended."""

    def release_unused(self) -> None:
        """Every child uses the configuration in effect: what earlier ones needed may be released."""


class NoPlans:
    """For a service without a file that could change."""

    def read(self) -> Reading:
        raise StartError("there is no configuration file to reload")

    def next_change(self, reading: Reading, busy: Collection[int]) -> NextGeneration:
        raise NotImplementedError("nothing was read")

    def read_certificates(self) -> None:
        """There are none."""

    def worker_gone(self, slot: int) -> None:
        """There is nothing to release."""

    def release_unused(self) -> None:
        """There is nothing to release."""


def read(plans: Plans) -> Read:
    """The first step, with its result or its failure."""
    began = time.process_time()
    try:
        result: Reading | ReloadOutcome = plans.read()
    except (ConfigErrors, StartError, TlsError, OSError) as error:
        result = failure(error)
    return Read(result, time.process_time() - began)


def failure(error: Exception) -> ReloadOutcome:
    """The outcome of a reload in which one of the two steps raised this error."""
    if isinstance(error, ConfigErrors):
        found = in_order((*error.problems, *error.warnings))
        return ReloadOutcome(tuple(map(str, found)), bad_configuration=True)
    return ReloadOutcome((str(error),), isinstance(error, TlsError))
