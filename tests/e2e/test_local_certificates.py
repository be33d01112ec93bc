"""Local names have HTTPS without anything configured for it: clause T5."""

from __future__ import annotations

import ssl
from functools import partial
from pathlib import Path

from tests.e2e.harness.client import get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import echo
from tests.e2e.harness.waiting import wait_for

NAME = "app.localhost"


def test_a_local_name_gets_a_certificate_of_the_local_authority(tmp_path: Path) -> None:
    # spec: T5
    with Instance(echo()) as instance:
        config = configure(
            instance.address,
            domains=(NAME, "shop.test"),
            listen={"https": "127.0.0.1:0"},
            workers=2,
            tls={"store": str(tmp_path / "store")},
        )
        with FrontDoor(config, tmp_path) as door:
            context = ssl.create_default_context(cafile=tmp_path / "store" / "local" / "root.pem")
            for name in (NAME, "shop.test"):
                with door.connect_tls(context, name) as client:
                    assert client.ask(get(host=name)).status == 200


def test_a_store_that_cannot_be_written_is_said_and_keeps_nobody_from_serving(tmp_path: Path) -> None:
    # spec: T5
    (tmp_path / "store").write_text("not a directory")
    with Instance(echo()) as instance:
        config = configure(
            instance.address,
            domains=(NAME,),
            listen={"http": "127.0.0.1:0", "https": "127.0.0.1:0"},
            tls={"store": str(tmp_path / "store")},
        )
        with FrontDoor(config, tmp_path) as door:
            assert door.ask(get(host=NAME)).status == 200
            wait_for(
                lambda: any(f"no certificate can be made for {NAME}" in line for line in door.stderr), "the reason"
            )


def works(door: FrontDoor, context: ssl.SSLContext, name: str) -> bool:
    try:
        with door.connect_tls(context, name) as client:
            return client.ask(get(host=name)).status == 200
    except (ssl.SSLError, ConnectionError):
        return False


def test_names_under_bound_local_wildcards_get_into_the_certificate_when_they_are_asked_for(tmp_path: Path) -> None:
    # spec: T5, D2
    with Instance(echo()) as instance:
        config = configure(
            instance.address,
            domains=("*.test", "*.app.localhost", "a.b.localhost"),
            listen={"https": "127.0.0.1:0"},
            workers=2,
            tls={"store": str(tmp_path / "store")},
        )
        with FrontDoor(config, tmp_path) as door:
            context = ssl.create_default_context(cafile=tmp_path / "store" / "local" / "root.pem")
            for name in ("a.b.localhost", "one.app.localhost"):
                assert works(door, context, name)
            for name in ("shop.test", "stg-blog.test"):  # OpenSSL believes no certificate for *.test
                wait_for(partial(works, door, context, name), f"a certificate for {name}")
            assert works(door, context, "shop.test")  # it stays in
            assert not works(door, context, "shop.localhost")
            assert not works(door, context, "a.shop.test")
