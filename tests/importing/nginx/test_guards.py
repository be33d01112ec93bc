"""Who may: nothing that was closed is open after an import."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lb.importing.omissions import Weight
from tests.importing.harness import Import

Server = Callable[..., Import]
PASS = "proxy_pass http://127.0.0.1:3000;"

NETWORKS: list[tuple[str, dict[str, Any]]] = [
    ("allow 10.0.0.0/8; deny all;", {"allow": ["10.0.0.0/8"]}),
    ("allow 10.1.2.3/8; allow ::1; deny all;", {"allow": ["10.0.0.0/8", "::1/128"]}),
    ("deny 192.0.2.7; allow all;", {"deny": ["192.0.2.7/32"]}),
    ("deny 192.0.2.7;", {"deny": ["192.0.2.7/32"]}),
    ("deny all;", {"deny": True}),
    ("deny 10.0.0.1; allow 10.0.0.0/8; deny all;", {"allow": ["10.0.0.0/8"], "deny": ["10.0.0.1/32"]}),
    ("allow all;", {}),
]


@pytest.mark.parametrize(("rules", "guard"), NETWORKS)
def test_networks(server: Server, rules: str, guard: dict[str, Any]) -> None:
    route = server(f"location /admin/ {{ {rules} proxy_pass http://admin:1; }} location / {{ {PASS} }}").routes()[
        "/admin/"
    ]
    assert {key: route[key] for key in ("allow", "deny") if key in route} == guard


def test_a_guard_of_the_server_holds_for_every_location(server: Server) -> None:
    found = server(f"allow 10.0.0.0/8; deny all; location /a/ {{ proxy_pass http://a:1; }} location / {{ {PASS} }}")
    assert [route["allow"] for route in found.routes().values()] == [["10.0.0.0/8"], ["10.0.0.0/8"]]
    assert list(found.routes()) == ["/a/", "/"]


def test_an_exception_inside_a_denied_network_stays_closed_and_is_told(server: Server) -> None:
    found = server(f"location / {{ allow 10.0.0.1; deny 10.0.0.0/8; {PASS} }}")
    assert found.routes()["/"]["deny"] == ["10.0.0.0/8"]
    assert found.omits("10.0.0.1/32", Weight.ACCESS)


def test_a_network_that_cannot_be_read_closes(server: Server) -> None:
    found = server(f"location / {{ deny unix:; {PASS} }}")
    assert found.routes()["/"]["deny"] is True
    assert found.omits("deny unix:", Weight.ACCESS)


def test_passwords(server: Server) -> None:
    found = server(
        f"""
        auth_basic "Staff"; auth_basic_user_file /etc/nginx/htpasswd;
        location /open/ {{ auth_basic off; proxy_pass http://open:1; }}
        location / {{ {PASS} }}
        """
    )
    assert found.routes()["/"]["basic_auth"] == {"file": "/etc/nginx/htpasswd", "realm": "Staff"}
    assert "basic_auth" not in found.routes()["/open/"]
    assert found.omitted() == []


def test_passwords_without_a_file_close(server: Server) -> None:
    found = server(f'location / {{ auth_basic "Staff"; {PASS} }}')
    assert found.routes()["/"]["deny"] is True
    assert found.comment("deny: true").endswith("closed: its guard has no counterpart")
    assert found.omits("the file of the users is not known", Weight.ACCESS)


def test_a_judge(server: Server) -> None:
    found = server(
        f"""
        location = /auth {{ internal; proxy_pass http://127.0.0.1:9091/verify; }}
        location / {{
          auth_request /auth;
          auth_request_set $user $upstream_http_remote_user;
          proxy_set_header Remote-User $user;
          error_page 401 =302 https://login.example.com/;
          {PASS}
        }}
        """
    )
    assert found.routes()["/"]["forward_auth"] == {"url": "http://127.0.0.1:9091/verify", "copy": ["Remote-User"]}
    assert found.omits("error_page 401", Weight.BEHAVIOUR)
    assert len(found.omitted()) == 1


@pytest.mark.parametrize("guard", ["auth_request /nowhere;", 'auth_jwt "x";', "access_by_lua_file x.lua;"])
def test_a_guard_without_a_counterpart_closes(server: Server, guard: str) -> None:
    found = server(f"location / {{ {guard} {PASS} }}")
    assert found.routes()["/"]["deny"] is True
    assert found.omitted()[0].weight is Weight.ACCESS
    assert "closed until it has a guard" in found.omitted()[0].hint


def test_any_of_several_guards_becomes_all_of_them(server: Server) -> None:
    found = server(
        f"location / {{ satisfy any; allow 10.0.0.0/8; deny all; auth_basic x; auth_basic_user_file y; {PASS} }}"
    )
    assert {"allow", "basic_auth"} <= found.routes()["/"].keys()
    assert found.omits("satisfy any", Weight.ACCESS)


def test_a_guarded_path_whose_answer_is_unknown_is_closed(server: Server) -> None:
    found = server(
        f"location /private/ {{ auth_basic x; auth_basic_user_file y; proxy_pass "
        f"http://$arg_to; }} location / {{ {PASS} }}"
    )
    assert found.routes()["/private/"]["deny"] is True
    assert found.omits("nothing answers there, so it is closed", Weight.ACCESS)


@pytest.mark.parametrize(
    ("address", "reason"),
    [("https://auth.example.com", "is an https URL"), ("http://unix:/run/a.sock:/", "Unix socket")],
)
def test_a_judge_that_lb_cannot_ask_closes(server: Server, address: str, reason: str) -> None:
    found = server(f"location = /auth {{ proxy_pass {address}; }} location / {{ auth_request /auth; {PASS} }}")
    assert found.routes()["/"]["deny"] is True
    assert found.omits(reason, Weight.ACCESS)


def test_a_closed_route_stays_closed_for_all(server: Server) -> None:
    found = server(f"location / {{ deny unix:; deny 10.0.0.1; {PASS} }}")
    assert found.routes()["/"]["deny"] is True
