"""What serves: upstreams, addresses, balancing, TLS to instances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lb.importing.omissions import Weight
from tests.importing.harness import Import

Server = Callable[..., Import]
PASS = "location / { proxy_pass http://app; }"


def production(found: Import) -> dict[str, Any]:
    environment = found.app["production"]
    assert isinstance(environment, dict)
    return environment


ADDRESSES = [
    ("127.0.0.1:3000", "127.0.0.1:3000"),
    ("web", "web:80"),
    ("[::1]:3000", "[::1]:3000"),
    ("unix:/run/app.sock", "unix:/run/app.sock"),
    ("web.internal:8000", "web.internal:8000"),
]


@pytest.mark.parametrize(("written", "address"), ADDRESSES)
def test_addresses(server: Server, written: str, address: str) -> None:
    assert production(server(PASS, f"upstream app {{ server {written}; }}"))["instances"] == [address]


PASSED = [
    ("http://127.0.0.1:3000", "127.0.0.1:3000"),
    ("http://localhost:3000", "localhost:3000"),
    ("http://unix:/run/app.sock:/", "unix:/run/app.sock"),
    ("http://unix:/run/app.sock", "unix:/run/app.sock"),
    ("http://[::1]:3000", "[::1]:3000"),
    ("http://web:3000$request_uri", "web:3000"),
]


@pytest.mark.parametrize(("written", "address"), PASSED)
def test_an_address_in_the_directive(server: Server, written: str, address: str) -> None:
    found = server(f"location / {{ proxy_pass {written}; }}")
    assert production(found)["instances"] == [address]
    assert found.omitted() == []


def test_constants_of_set(server: Server) -> None:
    found = server("location / { set $to web; set $port 8000; proxy_pass http://$to:$port; }")
    assert production(found)["instances"] == ["web:8000"]


def test_an_address_that_depends_on_the_request(server: Server) -> None:
    found = server("location /x/ { proxy_pass http://$arg_host; }" + PASS, "upstream app { server a:1; }")
    assert found.routes() == {}
    assert found.omits("not known before a request comes", Weight.ROUTING)


BALANCES: list[tuple[str, dict[str, Any]]] = [
    ("least_conn;", {"balance": "least_connections"}),
    ("ip_hash;", {"balance": "consistent_hash"}),
    ("random two;", {"balance": "power_of_two"}),
    ("hash $request_uri consistent;", {"balance": "consistent_hash", "hash_on": "uri"}),
    ("hash $http_x_user;", {"balance": "consistent_hash", "hash_on": "header:x-user"}),
    ("hash $cookie_sid;", {"balance": "consistent_hash", "hash_on": "cookie:sid"}),
    ("sticky cookie srv expires=1h;", {"balance": "sticky", "sticky_cookie": "srv"}),
    ("keepalive 16; zone a 64k;", {}),
]


@pytest.mark.parametrize(("written", "settings"), BALANCES)
def test_balancing(server: Server, written: str, settings: dict[str, Any]) -> None:
    found = server(PASS, f"upstream app {{ {written} server a:1; server b:1; }}")
    assert production(found) == {"instances": ["a:1", "b:1"], **settings}


def test_options_of_servers(server: Server) -> None:
    found = server(
        PASS,
        "upstream app { server a:1 max_fails=3 fail_timeout=30s; server b:1 weight=5; server "
        "c:1 backup; server d:1 down; }",
    )
    assert production(found) == {"instances": ["a:1", "b:1"], "max_fails": 3, "fail_duration": "30s"}
    assert found.omits("c:1 is a backup", Weight.ROUTING)
    assert found.omits("weight=5", Weight.TUNING)
    assert not found.omits("d:1")


def test_instances_over_https(server: Server) -> None:
    found = server(
        """location / { proxy_pass https://10.0.0.5:8443; proxy_ssl_verify on; proxy_ssl_name app.internal;
        proxy_ssl_trusted_certificate ca.pem; }"""
    )
    assert production(found) == {
        "instances": ["https://10.0.0.5:8443"],
        "instance_tls": {"server_name": "app.internal", "ca": "ca.pem"},
    }


def test_certificates_are_not_verified_where_nginx_does_not(server: Server) -> None:
    found = server("location / { proxy_pass https://10.0.0.5; }")
    assert production(found)["instances"] == ["https://10.0.0.5:443"]
    assert production(found)["instance_tls"] == {"verify": False}
    assert "nginx does not verify" in found.comment("verify: false")


@pytest.mark.parametrize("directive", ["fastcgi_pass", "uwsgi_pass", "scgi_pass"])
def test_other_protocols_keep_the_address_and_are_told(server: Server, directive: str) -> None:
    found = server(f"location / {{ {directive} 127.0.0.1:9000; include {directive[:-5]}_params; }}")
    assert production(found)["instances"] == ["127.0.0.1:9000"]
    assert found.comment("127.0.0.1:9000").endswith("lb needs HTTP")
    assert [one.weight for one in found.omitted()] == [Weight.ROUTING]


def test_one_upstream_for_several_paths_is_one_app(server: Server) -> None:
    found = server(
        "location /a/ { proxy_pass http://app; } location /b/ { proxy_pass http://app; } "
        "location / { proxy_pass http://web:1; }",
        "upstream app { server a:1; }",
    )
    assert list(found.apps) == ["shop", "app"]
    assert [route["app"] for route in found.routes().values()] == ["app", "app"]
