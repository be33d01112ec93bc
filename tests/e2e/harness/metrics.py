"""What the admin server says of one metric."""

from __future__ import annotations

import re

from tests.e2e.harness.client import Client, get
from tests.e2e.harness.door import FrontDoor


def metric(door: FrontDoor, name: str) -> int:
    """The value of `name`, labels included; AssertionError when there is none."""
    with Client(("127.0.0.1", door.port("admin"))) as client:
        page = client.ask(get("/metrics", host="localhost")).body.decode()
    match = re.search(rf"^{re.escape(name)} (\d+)$", page, re.MULTILINE)
    assert match is not None, page
    return int(match[1])
