"""What a person sees at start."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from lb.cli.banner import banner
from lb.config.load import load_bytes
from lb.control.service import Service, prepare

INFO = {
    "version": "1.2.3",
    "engine": "compiled",
    "transport": "epoll",
    "loop": "uvloop 0.22",
    "tls": "openssl direct",
    "openssl": "OpenSSL 3",
    "python": "CPython 3.11",
    "openssl_access": "full",
}

Make = Callable[..., Service]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Make]:
    made: list[Service] = []

    def make(info: dict[str, str] | None = None, **config: Any) -> Service:
        production = {"instances": ["127.0.0.1:1", "127.0.0.1:2"]}
        apps = {"shop": {"domains": ["a.example", "long.name.example"], "production": production}}
        value = {"listen": {"http": "127.0.0.1:0"}, "workers": 2, "apps": apps, **config}
        plan = load_bytes("test", json.dumps(value).encode(), {}).plan
        made.append(prepare(plan, {**INFO, **(info or {})}, {"XDG_RUNTIME_DIR": str(tmp_path)}))
        return made[-1]

    yield make
    for one in made:
        for bound in (*one.bound, *one.admin):
            for sock in bound.sockets:
                sock.close()


def lines(service: Service) -> list[str]:
    return [click.unstyle(line) for line in banner(service)]


# spec: R1
def test_where_it_listens_stands_alone_on_a_line(service: Make) -> None:
    one = service()
    assert f"listening on {one.bound[0].url}" in lines(one)


def test_what_is_served_from_there(service: Make) -> None:
    found = lines(service())
    assert (
        found[0] == "lb 1.2.3: compiled engine on epoll, uvloop 0.22, TLS by openssl direct (OpenSSL 3), CPython 3.11"
    )
    assert "2 workers, access log (json) to stdout" in found
    at = found.index("app shop")
    assert found[at + 1 : at + 3] == [
        "  a.example          production: 127.0.0.1:1, 127.0.0.1:2",
        "  long.name.example  production: 127.0.0.1:1, 127.0.0.1:2",
    ]


def test_a_thousand_domains_do_not_push_everything_off_the_screen(service: Make) -> None:
    production = {"instances": ["127.0.0.1:1"]}
    names = [f"d{number}.example" for number in range(1000)]
    found = lines(service(apps={"shop": {"domains": names, "production": production}}))
    assert len(found) < 60
    assert any(line == "… 961 more lines, see the configuration" for line in found)


def test_what_could_be_better_is_a_note(service: Make) -> None:
    assert not any(line.startswith("note: ") for line in lines(service()))
    assert any(
        line.startswith("note: running without the compiled engine") for line in lines(service({"engine": "python"}))
    )


def test_no_log_and_an_admin_server(service: Make) -> None:
    one = service(access_log="off", admin="127.0.0.1:0", workers=1)
    assert "1 worker, no access log" in lines(one)
    assert f"admin at {one.admin[0].url}: /metrics /healthz /readyz /status" in lines(one)
