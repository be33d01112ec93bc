"""The front door's own figures, as its admin server tells them."""

from __future__ import annotations

import re

from tests.e2e.harness.client import Client, message
from tests.e2e.harness.door import FrontDoor


def metric(door: FrontDoor, name: str) -> int:
    """The value of the counter of this name, all workers together; the configuration has to have `admin`."""
    with Client(("127.0.0.1", door.port("admin"))) as client:
        page = client.ask(message("GET /metrics", host="127.0.0.1")).body.decode()
    found = re.search(rf"^{name}(?:{{.*}})? (\d+)$", page, re.MULTILINE)
    assert found is not None, page
    return int(found[1])
