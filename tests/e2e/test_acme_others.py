"""HTTPS by itself with certificate authorities of other makes: clause T5."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.harness.client import get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import Echo, echo
from tests.e2e.harness.serles import Serles, is_missing, running_serles
from tests.e2e.harness.waiting import wait_for

NAMES = ("shop.example.com", "blog.example.com", "www.example.com")


def serves(door: FrontDoor, serles: Serles, name: str) -> bool:
    try:
        with door.connect_tls(serles.trust(), name) as client:
            return Echo(client.ask(get("/", host=name))).target == "/"
    except OSError:
        return False


@pytest.mark.skipif(is_missing(), reason="no serles-acme here")
@pytest.mark.parametrize("per", ["name", "app"])
def test_serles(tmp_path: Path, per: str) -> None:
    # spec: T5
    with running_serles(tmp_path / "serles") as serles, Instance(echo()) as instance:
        config = configure(
            instance.address,
            domains=NAMES,
            listen={"http": f"127.0.0.1:{serles.http}", "https": "127.0.0.1:0"},
            tls={
                "acme": {"agree_to_terms": True, "directory": serles.directory, "certificate_per": per},
                "store": "store",
            },
        )
        with FrontDoor(config, tmp_path) as door:
            for name in NAMES:
                wait_for(lambda name=name: serves(door, serles, name), f"HTTPS on {name}", 60)  # type: ignore[misc]
        certificates = list((tmp_path / "store" / "certificates").iterdir())
        assert len(certificates) == (1 if per == "app" else 3)
