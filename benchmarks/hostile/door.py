"""The front door under attack, with two apps, so that the load on the attacked app does not blur the results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.hostile.app import running_app
from benchmarks.hostile.attacker import Target
from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST
from tests.e2e.harness.door import FrontDoor, configure

_CALM = "calm.example.com"


@contextmanager
def under_attack(directory: Path, authority: Authority, **top: Any) -> Iterator[tuple[FrontDoor, Target]]:
    """Run it with default limits and timeouts, unless `top` says otherwise."""
    with running_app() as attacked, running_app() as calm:
        config = configure(
            attacked,
            **{
                "listen": {"http": "127.0.0.1:0", "https": "127.0.0.1:0", "h2c": True},
                "tls": tls_config(authority.issue(HOST, _CALM)),
                **top,
            },
        )
        config["apps"]["calm"] = {"domains": [_CALM], "production": {"instances": [calm]}}
        with FrontDoor(config, directory) as door:
            yield door, Target(door.http, door.https, HOST, _CALM)
