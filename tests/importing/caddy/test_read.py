"""Caddyfiles: sites, matchers, snippets, answers, guards; and whole files as deployments have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lb.importing.import_file import import_files
from lb.importing.omissions import Weight
from lb.importing.source_line import UnreadableSourceError
from tests.importing.harness import Import, import_text

Caddy = Callable[[str], Import]
PASS = "reverse_proxy 127.0.0.1:3000\n"

# Sites


def test_a_name_has_https_a_certificate_and_a_redirect(caddy: Caddy) -> None:
    found = caddy("{\n email ops@example.com\n}\nshop.example.com {\n" + PASS + "}\n")
    assert found.settings["listen"] == {"http": [":80"], "https": [":443"]}
    assert found.settings["tls"] == {"acme": {"email": "ops@example.com", "agree_to_terms": True}}
    assert found.app["domains"] == [{"name": "shop.example.com", "force_https": True}]
    assert found.omitted() == []


ADDRESSES = [
    ("http://shop.example.com", {"http": [":80"]}, ["shop.example.com"]),
    (":8080", {"http": [":8080"]}, ["*"]),
    ("http://", {"http": [":80"]}, ["*"]),
    ("http://shop.example.com:8080", {"http": [":8080"]}, ["shop.example.com"]),
    ("http://a.example.com, http://b.example.com", {"http": [":80"]}, ["a.example.com", "b.example.com"]),
]


@pytest.mark.parametrize(("address", "listen", "names"), ADDRESSES)
def test_addresses(caddy: Caddy, address: str, listen: dict[str, Any], names: list[str]) -> None:
    found = caddy(f"{address} {{\n{PASS}}}\n")
    assert found.settings["listen"] == listen
    assert found.app["domains"] == names


def test_local_names_need_no_authority_of_the_internet(caddy: Caddy) -> None:
    found = caddy(f"localhost {{\n{PASS}}}\n")
    assert "tls" not in found.settings
    assert found.app["domains"] == [{"name": "localhost", "force_https": True}]


def test_certificates_of_files(caddy: Caddy) -> None:
    found = caddy(f"a.example.com {{\ntls a.pem a.key\n{PASS}}}\n")
    assert found.settings["tls"] == {"certificates": [{"cert": "a.pem", "key": "a.key"}]}


def test_a_name_that_leads_to_another(caddy: Caddy) -> None:
    found = caddy(f"example.com {{\n{PASS}}}\nwww.example.com {{\nredir https://example.com{{uri}} permanent\n}}\n")
    assert list(found.apps) == ["example"]
    assert found.app["domains"][1]["redirect"] == "example.com"


def test_hosts_within_a_wildcard_are_apps(caddy: Caddy) -> None:
    found = caddy(
        """
        http://*.example.com {
          @a host a.example.com
          handle @a {
            reverse_proxy a:1
          }
          @b host b.example.com
          handle @b {
            reverse_proxy b:1
          }
          handle {
            abort
          }
        }
        """
    )
    assert {name: app["domains"] for name, app in found.apps.items()} == {
        "a": ["a.example.com"],
        "b": ["b.example.com"],
    }
    assert found.apps["b"]["production"]["instances"] == ["b:1"]


# Matchers, and the order of directives

MATCHERS: list[tuple[str, list[dict[str, Any]]]] = [
    ("reverse_proxy /api/* api:1", [{"path": "/api/", "app": "api"}]),
    ("reverse_proxy /exact api:1", [{"path": "/exact", "app": "api"}]),
    ("@m path /a/* /b/*\nreverse_proxy @m api:1", [{"path": "/a/", "app": "api"}, {"path": "/b/", "app": "api"}]),
    ("@m method POST PUT\nreverse_proxy @m api:1", [{"path": "/", "method": ["POST", "PUT"], "app": "api"}]),
    ("@m {\npath /a/*\nheader X-V 2\n}\nreverse_proxy @m api:1", [{"path": "/a/", "header": {"X-V": 2}, "app": "api"}]),
    ("@m query beta=*\nreverse_proxy @m api:1", [{"path": "/", "query": {"beta": "*"}, "app": "api"}]),
    ("@m path_regexp ^/v/([^/]+)$\nreverse_proxy @m api:1", [{"path": "/v/{p1}", "app": "api"}]),
    ("reverse_proxy /a/* a:1\nreverse_proxy /a/b/* b:1", [{"path": "/a/b/", "app": "b"}, {"path": "/a/", "app": "a"}]),
    (
        "reverse_proxy /old/* a:1\nredir /old/x /new",
        [{"path": "/old/x", "redirect": "/new", "status": 302}, {"path": "/old/", "app": "a"}],
    ),
    ("handle_path /api/* {\nreverse_proxy api:1\n}", [{"path": "/api/", "app": "api", "strip": "/api"}]),
    (
        "handle /api/* {\nuri strip_prefix /api\nreverse_proxy api:1\n}",
        [{"path": "/api/", "app": "api", "strip": "/api"}],
    ),
    ("handle /api/* {\nrewrite * /v1{uri}\nreverse_proxy api:1\n}", [{"path": "/api/", "app": "api", "prefix": "/v1"}]),
    (
        "route /a/* {\nrespond /a/secret 403\nreverse_proxy a:1\n}",
        [{"path": "/a/secret", "deny": True}, {"path": "/a/", "app": "a"}],
    ),
    ("respond /x/* 404", [{"path": "/x/", "deny": True}]),
    (
        "redir /a/* https://b.example.com{uri} 308",
        [{"path": "/a/", "redirect": "https://b.example.com{path}", "status": 308}],
    ),
]


@pytest.mark.parametrize(("written", "routes"), MATCHERS)
def test_matchers(site: Caddy, written: str, routes: list[dict[str, Any]]) -> None:
    found = site(f"{written}\n{PASS}")
    assert found.app["routes"] == routes
    assert not found.omitted(Weight.ROUTING)
    assert not found.omitted(Weight.ACCESS)


ABSENT = [
    ("redir / /app", "/ alone"),
    ("@m path *.php\nreverse_proxy @m php:1", "the path *.php"),
    ("@m not path /a/*\nreverse_proxy @m a:1", "not path /a/*"),
    ("@m expression `{path}.startsWith('/a')`\nreverse_proxy @m a:1", "expression"),
    ("respond /health ok", "lb answers nothing by itself"),
    ("reverse_proxy @nothing a:1", "@nothing is not defined"),
]


@pytest.mark.parametrize(("written", "reason"), ABSENT)
def test_matchers_without_a_counterpart(site: Caddy, written: str, reason: str) -> None:
    assert site(f"{written}\n{PASS}").omits(reason)


def test_a_change_for_some_requests_is_a_route_of_its_own(site: Caddy) -> None:
    found = site(
        "@static path /assets/*\nheader @static Cache-Control max-age=60\nrequest_body /up/* {\nmax_size 1GB\n}\n"
        + PASS
    )
    assert found.app["routes"] == [
        {"path": "/assets/", "headers": {"response": {"set": {"Cache-Control": "max-age=60"}}}},
        {"path": "/up/", "limits": {"body": 1000000000}},
    ]


def test_what_holds_for_the_site_is_the_app_s(site: Caddy) -> None:
    found = site(
        "header {\nX-Frame-Options DENY\n-Server\n?Cache-Control no-store\n+Link "
        "x\n}\nrequest_body {\nmax_size 10MiB\n}\n" + PASS
    )
    assert found.app["headers"]["response"] == {
        "set": {"X-Frame-Options": "DENY"},
        "remove": ["Server"],
        "default": {"Cache-Control": "no-store"},
        "add": {"Link": "x"},
    }
    assert found.app["limits"] == {"body": "10M"}


# Proxies

PROXIES: list[tuple[str, dict[str, Any]]] = [
    ("reverse_proxy a:1 b:2", {"instances": ["a:1", "b:2"]}),
    ("reverse_proxy localhost:3000-3002", {"instances": ["localhost:3000", "localhost:3001", "localhost:3002"]}),
    ("reverse_proxy unix//run/app.sock", {"instances": ["unix:/run/app.sock"]}),
    ("reverse_proxy {\nto a:1\nlb_policy least_conn\n}", {"instances": ["a:1"], "balance": "least_connections"}),
    (
        "reverse_proxy a:1 {\nlb_policy header X-User\n}",
        {"instances": ["a:1"], "balance": "consistent_hash", "hash_on": "header:X-User"},
    ),
    (
        "reverse_proxy a:1 {\nlb_policy cookie srv\n}",
        {"instances": ["a:1"], "balance": "sticky", "sticky_cookie": "srv"},
    ),
    (
        "reverse_proxy a:1 {\nhealth_uri /up\nhealth_interval 5s\n}",
        {"instances": ["a:1"], "health_uri": "/up", "health_interval": "5s"},
    ),
    ("reverse_proxy a:1 {\nlb_try_duration 2s\n}", {"instances": ["a:1"], "retry_for": "2s"}),
    (
        "reverse_proxy https://a {\ntransport http {\ntls_insecure_skip_verify\nproxy_protocol v2\n}\n}",
        {"instances": ["https://a:443"], "instance_tls": {"verify": False}, "send_proxy": "v2"},
    ),
    ("reverse_proxy a:1 {\nflush_interval -1\n}", {"instances": ["a:1"]}),
]


@pytest.mark.parametrize(("written", "environment"), PROXIES)
def test_proxies(site: Caddy, written: str, environment: dict[str, Any]) -> None:
    found = site(written)
    assert found.app["production"] == environment
    assert found.omitted() == []


def test_fields_and_times_of_a_proxy(site: Caddy) -> None:
    found = site(
        "reverse_proxy a:1 {\nheader_up X-Real-IP {remote_host}\nheader_up X-Forwarded-Host {host}\nheader_up -Cookie\n"
        "header_down -Server\ntransport http {\nresponse_header_timeout 5m\n}\n}"
    )
    assert found.app["headers"] == {
        "request": {"set": {"X-Forwarded-Host": "{host}"}, "remove": ["Cookie"]},
        "response": {"remove": ["Server"]},
    }
    assert found.app["timeouts"] == {"response": "5m"}
    assert found.omitted() == []


@pytest.mark.parametrize(
    ("written", "weight"),
    [
        ("php_fastcgi fpm:9000", Weight.ROUTING),
        ("reverse_proxy {http.vars.x}", Weight.ROUTING),
        ("reverse_proxy a:1 {\nlb_policy first\n}", Weight.ROUTING),
        ("reverse_proxy a:1 {\nheader_up Host other\n}", Weight.BEHAVIOUR),
        ("reverse_proxy h2c://a:1", Weight.BEHAVIOUR),
        ("templates\nreverse_proxy a:1", Weight.BEHAVIOUR),
        ("log {\noutput file /x\n}\nreverse_proxy a:1", Weight.LOGGING),
        ("handle_errors {\nrespond x\n}\nreverse_proxy a:1", Weight.BEHAVIOUR),
        ("rate_limit {\n}\nreverse_proxy a:1", Weight.ACCESS),
        ("something_new\nreverse_proxy a:1", Weight.BEHAVIOUR),
    ],
)
def test_what_has_no_counterpart_is_told(site: Caddy, written: str, weight: Weight) -> None:
    assert [one.weight for one in site(written).omitted()] == [weight]


# Files

FILES: list[tuple[str, dict[str, Any]]] = [
    ("root * /srv\nfile_server", {"path": "/", "files": "/srv"}),
    ("root * /srv\nfile_server /static/*", {"path": "/static/", "files": "/srv/static"}),
    ("handle_path /static/* {\nroot * /srv\nfile_server\n}", {"path": "/static/", "files": "/srv"}),
    (
        "root * /srv\ntry_files {path} /index.html\nfile_server",
        {"path": "/", "files": "/srv", "fallback": "index.html"},
    ),
    ("file_server /robots.txt {\nroot /srv/public\n}", {"path": "/robots.txt", "files": "/srv/public"}),
]


@pytest.mark.parametrize(("written", "route"), FILES)
def test_files(site: Caddy, written: str, route: dict[str, Any]) -> None:
    assert next(iter(site(written).routes().values())) == route


# Guards


def test_a_judge_stands_before_everything(site: Caddy) -> None:
    found = site(
        "forward_auth authelia:9091 {\nuri /api/authz/forward-auth\ncopy_headers Remote-User Remote-Groups\n}\n"
        "handle_path /files/* {\nroot * /srv\nfile_server\n}\n" + PASS
    )
    judge = {"url": "http://authelia:9091/api/authz/forward-auth", "copy": ["Remote-User", "Remote-Groups"]}
    assert [route["forward_auth"] for route in found.routes().values()] == [judge, judge]
    assert list(found.routes()) == ["/files/", "/"]


def test_a_judge_of_some_paths(site: Caddy) -> None:
    found = site("forward_auth /admin/* authelia:9091 {\nuri /verify\n}\n" + PASS)
    assert {path: "forward_auth" in route for path, route in found.routes().items()} == {"/admin/": True}


def test_passwords_are_a_file_beside_the_configuration(site: Caddy) -> None:
    found = site("basic_auth /admin/* {\nbob $2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG\n}\n" + PASS)
    assert found.routes()["/admin/"]["basic_auth"] == "htpasswd"
    assert found.done.files == {"htpasswd": "bob:$2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG\n"}


@pytest.mark.parametrize(
    ("written", "guard"),
    [
        ("@out not remote_ip 10.0.0.0/8\nrespond @out 403", {"allow": ["10.0.0.0/8"]}),
        ("@bad remote_ip 192.0.2.7\nabort @bad", {"deny": ["192.0.2.7/32"]}),
    ],
)
def test_refusals_by_address_are_guards(site: Caddy, written: str, guard: dict[str, Any]) -> None:
    found = site(f"{written}\n{PASS}")
    assert found.routes()["/"] == {"path": "/", **guard}


@pytest.mark.parametrize("written", ["authorize with policy", "basic_auth", "@m expression x\nbasic_auth @m {\na b\n}"])
def test_a_guard_without_a_counterpart_closes(site: Caddy, written: str) -> None:
    found = site(f"{written}\n{PASS}")
    assert found.routes()["/"]["deny"] is True
    assert found.omitted()[0].weight is Weight.ACCESS


# Options, snippets, files


def test_options(caddy: Caddy) -> None:
    found = caddy(
        """
        {
          acme_ca https://ca.example.com/directory
          grace_period 10s
          servers {
            trusted_proxies static private_ranges
            max_header_size 1MiB
            timeouts {
              idle 2m
            }
          }
        }
        shop.example.com {
          reverse_proxy a:1
        }
        """
    )
    assert found.settings["tls"]["acme"]["directory"] == "https://ca.example.com/directory"
    assert found.settings["timeouts"] == {"drain": "10s", "idle": "2m"}
    assert found.settings["limits"] == {"header_total": "1M"}
    assert found.settings["trusted_proxies"] == ["private"]
    assert found.app["client_from"] == "forwarded"


def test_snippets_with_arguments(caddy: Caddy) -> None:
    found = caddy(
        "(app) {\n header X-App {args[0]}\n reverse_proxy {args[1:]}\n}\nhttp://a.example.com "
        "{\n import app one a:1 b:1\n}\n"
    )
    assert found.app["headers"]["response"]["set"] == {"X-App": "one"}
    assert found.app["production"]["instances"] == ["a:1", "b:1"]
    assert found.comment("X-App") == "Caddyfile:2"


def test_files_are_imported(tmp_path: Path) -> None:
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "a.caddy").write_text(f"http://a.example.com {{\n{PASS}}}\n")
    (tmp_path / "common.caddy").write_text("header X-A 1\n")
    found = import_text(
        tmp_path, f"import sites/*\nhttp://b.example.com {{\nimport common.caddy\n{PASS}}}\n", "Caddyfile"
    )
    assert list(found.apps) == ["a", "b"]
    assert found.apps["b"]["headers"]["response"]["set"] == {"X-A": 1}


def test_an_import_that_is_not_here_is_the_heaviest(caddy: Caddy) -> None:
    assert caddy(f"http://a.example.com {{\nimport auth\n{PASS}}}\n").omits("auth is neither", Weight.ACCESS)


@pytest.mark.parametrize("text", ["", "{\n email a@b.c\n}\n", "(a) {\n}\n", "(a) {\nimport a\n}\nx {\nimport a\n}\n"])
def test_a_file_that_cannot_be_imported(tmp_path: Path, text: str) -> None:
    (tmp_path / "Caddyfile").write_text(text)
    with pytest.raises(UnreadableSourceError):
        import_files([tmp_path / "Caddyfile"])


def test_six_apps_on_one_host(caddy: Caddy) -> None:
    found = caddy(
        """
        (site) {
          request_body {
            max_size {$FILE_SIZE_LIMIT}
          }
          redir /spaces /spaces/ permanent
          reverse_proxy /spaces/* space:3000
          reverse_proxy /api/* api:8000
          reverse_proxy /{$BUCKET}/* storage:9000
          reverse_proxy /* web:3000
        }
        {$SITE} {
          import site
        }
        """
    )
    assert found.app["domains"] == [{"name": "${SITE}", "force_https": True}]
    assert found.app["production"]["instances"] == ["web:3000"]
    assert found.app["limits"] == {"body": "${FILE_SIZE_LIMIT}"}
    assert {route["path"]: route.get("app") for route in found.app["routes"]} == {
        "/spaces": None,
        "/${BUCKET}/": "storage",
        "/spaces/": "space",
        "/api/": "api",
    }


def test_a_hash_that_lb_does_not_know_lets_nobody_in(site: Caddy) -> None:
    found = site(f"basic_auth {{\nbob plain\n}}\n{PASS}")
    assert found.routes()["/"]["deny"] is True
    assert found.omits("the user bob", Weight.ACCESS)
    assert not found.omits("plain ")


def test_what_is_closed_stays_closed_beside_another_guard(site: Caddy) -> None:
    found = site(f"@bad remote_ip 192.0.2.7\nabort @bad\nauthorize with policy\n{PASS}")
    assert found.routes()["/"]["deny"] is True
