"""Names of instances → addresses → rows of the health table.

A name stands for as many instances as it has addresses (16 at most). Addresses of both families are usually the same
processes twice, so only IPv4 is used then: common Python servers listen there. A new result of the resolver takes
effect at once; while it gives none, the last addresses stay.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from lb.config.plan import ConfiguredInstance
from lb.routing.health_rows import is_proven
from lb.routing.health_table import ABSENT, EXPECTED, STARTING, UNCHECKED, Condition, HealthTable

log = logging.getLogger("lb.control")

LOOKUPS = 16
"""Names that are looked up at once, each in a thread: the system's resolver blocks."""

FIRST_TIMEOUT = 5.0
"""Seconds that the first look-up of all names may take together."""


@dataclass(frozen=True, slots=True)
class ResolvedName:
    """The resolver's result for a name: addresses, or why there are none."""

    hosts: tuple[str, ...]
    error: str = ""


def look_up(name: str) -> ResolvedName:
    """The IP addresses of a name now."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError as error:
        return ResolvedName((), error.strerror or str(error))
    except UnicodeError:
        return ResolvedName((), "it is not a valid name")
    of_one_family = [one for one in found if one[0] == socket.AF_INET] or found
    return ResolvedName(tuple(dict.fromkeys(str(one[4][0]) for one in of_one_family)))


Write = Callable[[int, Condition], None]


@dataclass(frozen=True, slots=True)
class AddressChange:
    """A name's addresses before and after."""

    before: tuple[str, ...]
    after: tuple[str, ...]


def place(
    table: HealthTable,
    one: ConfiguredInstance,
    siblings: Iterable[ConfiguredInstance],
    found: ResolvedName,
    write: Write,
) -> AddressChange:
    """Writes a name's addresses to its rows with `write`; `siblings` are the watched instances of its environment.

    An address that stays keeps its row and state. A new one replaces one that goes in one step, so that there is always
    an address.
    """
    now = time.time()
    rows = [table.find(key) for key in one.keys]
    conditions = {row: table.read(row) or Condition() for row in rows}
    there = {condition.host: row for row, condition in conditions.items() if condition.state != ABSENT}
    if not found.hosts:
        if not there:
            write(rows[0], Condition(failed_at=now, error=found.error))
        return AddressChange(tuple(there), tuple(there))
    staying = [host for host in found.hosts if host in there][: len(rows)]
    new = [host for host in found.hosts if host not in there][: len(rows) - len(staying)]
    going = [there[host] for host in there if host not in staying]
    free = going + [row for row in rows if conditions[row].state == ABSENT]
    if new:
        leaving = set(going)
        others = [row for sibling in siblings for key in sibling.keys if (row := table.find(key)) not in leaving]
        state = _state_of_new(one, any(is_proven(table, row) for row in others))
        for host, row in zip(new, free, strict=False):
            write(row, Condition(state, host, since=now))
    for row in going[len(new) :]:
        write(row, Condition())
    return AddressChange(tuple(there), (*staying, *new))


def _state_of_new(one: ConfiguredInstance, others_work: bool) -> int:
    if not one.section.is_checked:
        return UNCHECKED
    return STARTING if others_work else EXPECTED


def by_environment(everything: Iterable[ConfiguredInstance]) -> dict[tuple[str, str], list[ConfiguredInstance]]:
    """The watched instances, by app and environment."""
    found: dict[tuple[str, str], list[ConfiguredInstance]] = {}
    for one in everything:
        found.setdefault((one.app, one.environment), []).append(one)
    return found


def look_up_new(table: HealthTable, watched: Sequence[ConfiguredInstance]) -> dict[str, ResolvedName]:
    """Looks up all names that are not known yet at once, for at most FIRST_TIMEOUT. The health process follows the
    others. Threads that still wait may stay behind, so only a process that ends soon may call this.
    """
    names = dict.fromkeys(one.address.host for one in watched if one.address.is_name and _is_new(table, one))
    if not names:
        return {}
    executor = ThreadPoolExecutor(LOOKUPS, "resolver")
    lookups: dict[str, Future[ResolvedName]] = {host: executor.submit(look_up, host) for host in names}
    wait(lookups.values(), FIRST_TIMEOUT)
    executor.shutdown(wait=False, cancel_futures=True)
    late = ResolvedName((), f"the resolver did not answer within {FIRST_TIMEOUT:g} s")
    return {
        host: lookup.result() if lookup.done() and not lookup.cancelled() else late for host, lookup in lookups.items()
    }


def apply_found(table: HealthTable, watched: Sequence[ConfiguredInstance], found: Mapping[str, ResolvedName]) -> None:
    """Writes the addresses that were found for names that are not known yet."""
    siblings = by_environment(watched)
    for one in watched:
        if one.address.is_name and one.address.host in found and _is_new(table, one):
            place(table, one, siblings[one.app, one.environment], found[one.address.host], table.begin)


def look_up_first(table: HealthTable, watched: Sequence[ConfiguredInstance]) -> None:
    """Both, before anything is served. A short-lived process does it, because threads that wait for a resolver must not
    be in a process that forks.
    """
    if not any(one.address.is_name and _is_new(table, one) for one in watched):
        return
    pid = os.fork()
    if pid == 0:
        try:
            apply_found(table, watched, look_up_new(table, watched))
        except BaseException:
            log.exception("the names of instances could not be looked up")
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def _is_new(table: HealthTable, one: ConfiguredInstance) -> bool:
    """Whether it has no rows, or they were never written."""
    rows = map(table.find, one.keys)
    return all(row < 0 or table.read(row) == Condition() for row in rows)


def _has_address(table: HealthTable, one: ConfiguredInstance) -> bool:
    conditions = (table.read(table.find(key)) for key in one.keys)
    return any(condition is not None and condition.state != ABSENT for condition in conditions)


def unfound(table: HealthTable, watched: Sequence[ConfiguredInstance]) -> list[str]:
    """The names without an address, each with the reason."""
    lost = []
    for one in watched:
        if not one.is_deployed and not _has_address(table, one):
            conditions = [table.read(table.find(key)) for key in one.keys]
            reason = next((condition.error for condition in conditions if condition is not None), "")
            lost.append(f"{one.address.text}: {reason or 'not looked up yet'}")
    return lost
