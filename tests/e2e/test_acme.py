"""HTTPS by itself, with a real certificate authority: clauses T5 and T6."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness.client import get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.pebble import Pebble, is_missing, running_pebble
from tests.e2e.harness.scripts import Echo, echo
from tests.e2e.harness.waiting import wait_for

pytestmark = pytest.mark.skipif(bool(is_missing()), reason="no pebble here")

TEN = tuple(f"{name}.example.com" for name in ("shop", "blog", "www", "api", "stg-shop", "a", "b", "c", "d", "e"))


@pytest.fixture
def pebble(tmp_path: Path) -> Iterator[Pebble]:
    with running_pebble(tmp_path / "pebble") as running:
        yield running


def acme_config(pebble: Pebble, instance: Instance, domains: tuple[str, ...], **acme: Any) -> dict[str, Any]:
    settings = {
        "email": "ops@example.com",
        "agree_to_terms": True,
        "directory": pebble.directory,
        "ca_file": str(pebble.ca_file),
        **acme,
    }
    config = configure(
        instance.address,
        domains=domains,
        listen={"http": f"127.0.0.1:{pebble.http}", "https": f"127.0.0.1:{pebble.tls}"},
        workers=2,
        tls={"acme": settings, "store": "store"},
    )
    config["apps"]["shop"]["staging"] = {"instances": [instance.address]}
    return config


def serves(door: FrontDoor, pebble: Pebble, name: str) -> bool:
    """Whether HTTPS works for a name, with a certificate that a client believes."""
    try:
        with door.connect_tls(pebble.trust(), name) as client:
            return Echo(client.ask(get("/", host=name))).target == "/"
    except OSError:
        return False


def test_ten_domains_have_https_with_nothing_done_by_hand(pebble: Pebble, tmp_path: Path) -> None:
    # spec: T5
    with Instance(echo()) as instance, FrontDoor(acme_config(pebble, instance, TEN), tmp_path) as door:
        for name in TEN:
            wait_for(lambda name=name: serves(door, pebble, name), f"HTTPS on {name}", 60)  # type: ignore[misc]
        assert pebble.orders() == len(TEN)
