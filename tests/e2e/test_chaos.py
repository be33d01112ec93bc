"""Everything goes wrong at once, and yet: nothing lost, nothing doubled, nothing mixed up. Clauses F1, F2, F3, R2, R3.

LB_CHAOS_SECONDS makes it longer, LB_CHAOS_SEED repeats a run's draws (not its timing).
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.chaos.events import Events, Place
from tests.e2e.chaos.traffic import Fate, Traffic
from tests.e2e.harness import process
from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST, get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.waiting import wait_for

SECONDS = float(os.environ.get("LB_CHAOS_SECONDS", "12"))
SEED = int(os.environ.get("LB_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
_TIMEOUTS = {"connect": "2s", "response": "3s", "read": "3s"}
_CHECKS = {"health_uri": "/health", "health_interval": "2s", "health_timeout": "2s"}  # on a busy machine slow is well
_MEMORY = 160 << 20  # bytes of one worker
_CAUSES = {
    "connection_refused", "connection_terminated", "connection_timeout", "connection_read_timeout",
    "connection_write_timeout", "destination_unavailable", "http_response_incomplete", "http_response_timeout",
}  # fmt: skip


# spec: F1 F2 F3 R2 R3
@pytest.mark.timeout(SECONDS + 120)
def test_nothing_is_lost_doubled_or_mixed_up(tmp_path: Path, authority: Authority) -> None:
    chance = random.Random(SEED)
    places = [Place(tmp_path, number, chance) for number in range(3)]
    addresses = [f"127.0.0.1:{place.shim.port}" for place in places]
    config = configure(
        *addresses,
        workers=2,
        timeouts=_TIMEOUTS,
        listen={"http": "127.0.0.1:0", "https": "127.0.0.1:0"},
        tls=tls_config(authority.issue(HOST)),
    )
    fewer = configure(*addresses[1:], **{key: config[key] for key in ("workers", "timeouts", "listen", "tls")})
    for checked in (config, fewer):
        checked["apps"]["shop"]["production"].update(_CHECKS)
    unchecked = configure(*addresses, **{key: config[key] for key in ("timeouts", "listen", "tls")}, workers=2)
    variants = [config, fewer, {**config, "workers": 3}, {**fewer, "workers": 1}, unchecked]
    with FrontDoor(config, tmp_path) as door:
        events = Events(door, places, variants, chance)
        traffic = Traffic(door.http, door.https, authority.context(), chance)
        asyncio.run(_chaos(events, traffic))
        _judge(events, traffic)
        _judge_the_log(door, events, traffic)
        _judge_what_is_left(events)
        events.end()


async def _chaos(events: Events, traffic: Traffic) -> None:
    try:
        for place in events.places:
            await place.start()
        clients = traffic.clients()
        await events.run(SECONDS)
        for place in events.places:
            place.shim.calm = True
        traffic.stopped = True
        await asyncio.gather(*clients)
        await asyncio.to_thread(_recovers, events)
    finally:
        for place in events.places:
            await place.die()
            place.release()


def _recovers(events: Events) -> None:
    """When it is over, everything works again."""
    answers: list[int] = []

    def well() -> bool:
        answers.append(events.door.ask(get("/after?size=10&how=length")).status)
        return answers[-20:] == [200] * 20

    wait_for(well, "twenty good answers in a row", 20.0)
    events.reload(events.variants[0])
    wait_for(lambda: len(events.workers()) == 2, "two workers")


def _judge(events: Events, traffic: Traffic) -> None:
    outcomes = Counter(fate.outcome for fate in traffic.fates)
    summary = (
        f"seed {SEED}: {dict(outcomes)}, {traffic.echoes} echoes, {events.deaths} instance deaths, {events.freezes} "
        f"freezes, {len(events.killed)} worker deaths, {events.reloads} reloads, {len(events.supervisors)} upgrades, "
        f"{sum(place.shim.faults for place in events.places)} broken connections"
    )
    print(summary)
    assert not traffic.wrong, (summary, traffic.wrong[:5])
    unexcused = [fate for fate in traffic.fates if fate.outcome == "lost" and not _excused(fate, events)]
    assert not unexcused, (summary, unexcused[:5])
    strange = {
        outcome for outcome in outcomes if outcome[:3] not in ("200", "cut", "los") and outcome[4:] not in _CAUSES
    }
    assert not strange, (summary, strange)
    tried = len(traffic.fates) - outcomes["503 destination_unavailable"]  # these are as many as clients care to ask
    assert outcomes["200"] > tried / 2 > 100, summary
    assert traffic.echoes, summary
    assert events.supervisors, summary

    done = Counter((method, identifier) for place in events.places for method, identifier, _ in place.requests())
    doubled = [key for key, count in done.items() if key[0] == "POST" and count > 1]
    assert not doubled, (summary, doubled[:5])
    missing = [fate for fate in traffic.fates if fate.outcome == "200" and not done[fate.method, fate.identifier]]
    assert not missing, (summary, missing[:5])


def _excused(fate: Fate, events: Events) -> bool:
    """What ended before its answer began may only do so because its worker was killed."""
    return events.near_a_kill(fate.began, fate.ended)


def _judge_the_log(door: FrontDoor, events: Events, traffic: Traffic) -> None:
    """One line for each answer, save those that a killed worker had not written yet."""
    told = Counter(entry["target"].partition("?")[0][1:] for entry in door.log() if entry["target"])
    untold = [
        fate
        for fate in traffic.fates
        if fate.outcome[:3] not in ("los", "cut")
        and not told[fate.identifier]
        and not events.near_a_kill(fate.began, fate.ended + 1.0)
    ]
    assert not untold, untold[:5]
    twice = [fate for fate in traffic.fates if told[fate.identifier] > 1]
    assert not twice, twice[:5]


def _judge_what_is_left(events: Events) -> None:
    for pid in events.workers():
        assert process.peak_memory(pid) < _MEMORY
        wait_for(lambda pid=pid: process.open_files(pid) < 60, "connections to be closed")  # type: ignore[misc]
