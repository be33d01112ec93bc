"""Two front doors on one store, one of them killed while orders are under way: nothing is ordered twice. Clause T5."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

from tests.e2e.harness.door import FrontDoor
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.pebble import Pebble
from tests.e2e.harness.scripts import echo
from tests.e2e.harness.waiting import wait_for
from tests.e2e.test_acme import TEN, acme_config, pebble, serves

__all__ = ["pebble"]


def test_others_go_on_with_what_one_that_was_killed_had_begun(pebble: Pebble, tmp_path: Path) -> None:
    # spec: T5
    with Instance(echo()) as instance:
        config = acme_config(pebble, instance, TEN)
        config["tls"]["store"] = str(tmp_path / "store")
        other = {**config, "listen": {"http": "127.0.0.1:0", "https": "127.0.0.1:0"}}
        for directory in ("one", "two", "again"):
            (tmp_path / directory).mkdir()
        # The CA connects to the addresses of the first one, so that it has begun all that is under way.
        one = FrontDoor(config, tmp_path / "one")
        try:
            wait_for(lambda: any((tmp_path / "store" / "orders").glob("*.json")), "an order under way", 60)
        finally:
            os.kill(one.process.pid, signal.SIGKILL)
            one.kill()
        with FrontDoor(other, tmp_path / "two") as two, FrontDoor(config, tmp_path / "again") as again:
            for door in (two, again):
                for name in TEN:
                    wait_for(partial(serves, door, pebble, name), f"HTTPS on {name}", 90)
    assert pebble.orders() == len(TEN)
