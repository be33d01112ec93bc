"""The health table as plain data, for the admin server and `lb status`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lb.config.plan import ConfiguredInstance
from lb.routing.health_table import ABSENT, STATES, UNCHECKED, Condition, HealthTable
from lb.routing.members import instance_key

Report = dict[tuple[str, str], dict[str, list[dict[str, object]]]]


def report(watched: Iterable[ConfiguredInstance], table: HealthTable) -> Report:
    """By app and environment: the state of each watched instance, or of each address of its name."""
    found: Report = {}
    for one in watched:
        rows = [condition for key in one.keys if (condition := table.read(table.find(key))) is not None]
        there = [condition for condition in rows if condition.state != ABSENT] or rows[:1]
        texts = found.setdefault((one.app, one.environment), {})
        texts[one.address.text] = [_plain(condition, one.section.is_checked) for condition in there]
    return found


def serving(watched: Iterable[ConfiguredInstance], table: HealthTable) -> Iterator[tuple[str, str, str, bool]]:
    """App, environment, instance, and whether it gets requests, for all checked instances."""
    for one in watched:
        for key in one.keys if one.section.is_checked else ():
            condition = table.read(table.find(key))
            if condition is not None and condition.state != ABSENT:
                yield one.app, one.environment, instance_key(one.address.text, condition.host), condition.serves


def _plain(condition: Condition, checked: bool) -> dict[str, object]:
    """Times are whole seconds since the epoch; an unknown value is null."""
    state = condition.state if checked or condition.state == ABSENT else UNCHECKED
    return {
        "address": condition.host or None,
        "state": STATES[state],
        "since": int(condition.since) or None,
        "checked": int(condition.checked) or None,
        "last": condition.last or None,
        "failed": int(condition.failed_at) or None,
        "error": condition.error or None,
        "answers": condition.answers,
    }
