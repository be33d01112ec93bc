"""Whatever a file holds, an import ends in a configuration that loads or in an error that names a line; and what was
guarded is never open.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lb.importing.import_file import Language, import_files
from lb.importing.source_line import UnreadableSourceError
from tests.importing.harness import Import, assert_loads

PATHS = ["/", "/a", "/a/", "/a/b/", "/a/b.txt", "/x y", "/{z}", "/..", "/a//b", "/ü/"]
NGINX = st.sampled_from(
    [
        *(f"location {path!r} {{".replace("'", '"') for path in PATHS),
        *(
            "location = /a {",
            "location ^~ /a/ {",
            "location ~ ^/(a|b)/ {",
            "location ~* \\.js$ {",
            "location @x {",
            "}",
            "}",
            "}",
        ),
        *("server {", "server_name a.example.com b.example.com;", "server_name _;", "server_name ~^x$;", "listen 80;"),
        *(
            "listen 443 ssl;",
            "listen 8080 default_server;",
            "listen unix:/x;",
            "ssl_certificate a; ssl_certificate_key b;",
        ),
        *(
            "proxy_pass http://127.0.0.1:3000;",
            "proxy_pass http://up/x/;",
            "proxy_pass http://$host;",
            "proxy_pass https://a;",
        ),
        *(
            "return 301 https://$host$request_uri;",
            "return 404;",
            "return 200 ok;",
            "return 302 /b;",
            "rewrite ^/a/(.*)$ /$1 break;",
        ),
        *(
            "root /none;",
            "alias /none/;",
            "try_files $uri @x;",
            "try_files $uri /index.html;",
            "internal;",
            "expires 1h;",
        ),
        *(
            "deny all;",
            "allow 10.0.0.0/8; deny all;",
            "auth_basic x; auth_basic_user_file y;",
            "satisfy any;",
            "auth_request /a;",
        ),
        *("client_max_body_size 1m;", "client_max_body_size 0;", "proxy_read_timeout 0;", "limit_req zone=z burst=5;"),
        *(
            "add_header X-A $x;",
            "add_header X-A 'a: {b} # c';",
            "proxy_set_header Host x;",
            "error_page 502 /a;",
            "gzip on;",
        ),
        *(
            "upstream up { server a:1; server b:1 backup; }",
            "upstream up { ip_hash; }",
            "limit_req_zone $remote_addr zone=z:1m rate=5r/s;",
        ),
        *(
            "if ($host = a.example.com) {",
            "set $x y;",
            "include none.conf;",
            "${a",
            '"',
            "# c\n",
            ";",
            "map $a $b { x y; }",
        ),
    ]
)
CADDY = st.sampled_from(
    [
        *(
            "a.example.com {",
            "http://b.example.com, :8080 {",
            "{",
            "}",
            "}",
            "}",
            "(s) {",
            "import s x",
            "*.example.com {",
        ),
        *(
            "reverse_proxy a:1",
            "reverse_proxy /a/* b:1",
            "reverse_proxy {",
            "lb_policy first",
            "header_up A {b}",
            "to c:1-3",
        ),
        *(
            "handle /a/* {",
            "handle_path /b/* {",
            "route {",
            "handle {",
            "@m path /a/* /b",
            "handle @m {",
            "@m {",
            "host x.example.com",
        ),
        *(
            "respond 404",
            "abort /x",
            "respond @m 403",
            "redir /a /b 301",
            "redir https://c.example.com{uri}",
            "file_server browse",
        ),
        *(
            "root * /none",
            "try_files {path} /index.html",
            "basic_auth /a/* {",
            "bob $2a$x",
            "forward_auth a:1 {",
            "uri /v",
            "error",
        ),
        *(
            "header -Server",
            'header X "a: {host} # b"',
            "encode gzip",
            "tls internal",
            "tls a b",
            "log {",
            "rewrite * /x{uri}",
        ),
        *(
            "not remote_ip 10.0.0.0/8",
            "method GET",
            "path_regexp ^/(a|b)/",
            "{args[0]}",
            "servers {",
            "trusted_proxies static 1.2.3.4",
        ),
        *('"', "`", "<<X", "\\", "# c", "{$A:b}", "acme_dns x", "request_body {", "max_size 1MB"),
    ]
)
TRAEFIK = st.sampled_from(
    [
        *(
            "routers.a.rule=Host(`a.example.com`)",
            "routers.b.rule=Host(`a.example.com`) && PathPrefix(`/x`)",
            "routers.c.rule=Path(`/y`)",
        ),
        *(
            "routers.a.rule=!Host(`a`)",
            "routers.a.entrypoints=web,websecure",
            "routers.b.tls=true",
            "routers.a.tls.certresolver=le",
        ),
        *(
            "routers.a.middlewares=m,n@file",
            "routers.b.middlewares=m",
            "routers.a.priority=1",
            "routers.b.service=s",
            "routers.c.service=api@internal",
        ),
        *(
            "middlewares.m.stripprefix.prefixes=/x",
            "middlewares.m.basicauth.users=a:b",
            "middlewares.m.ipallowlist.sourcerange=10.0.0.0/8",
        ),
        *(
            "middlewares.m.redirectscheme.scheme=https",
            "middlewares.m.plugin.x.y=z",
            "middlewares.m.headers.stsSeconds=1",
            "middlewares.m.chain.middlewares=m",
        ),
        *(
            "middlewares.m.redirectregex.regex=^https?://(.*)",
            "middlewares.m.redirectregex.replacement=https://x/$${1}",
            "middlewares.m=x",
        ),
        *(
            "services.s.loadbalancer.server.port=80",
            "services.s.loadbalancer.server.port=x",
            "services.s.loadbalancer.sticky.cookie=true",
            "x",
            "",
        ),
    ]
)
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def outcome(file: Path, text: str, language: Language) -> Import | None:
    file.write_text(text, encoding="utf-8")
    try:
        found = Import(text, import_files([file], language))
    except UnreadableSourceError:
        return None
    assert_loads(found.text)
    assert all(str(one) for one in found.done.omissions)
    return found


@FUZZ
@given(parts=st.lists(NGINX, max_size=25))
def test_nginx(parts: list[str], tmp_path: Path) -> None:
    outcome(tmp_path / "nginx.conf", "\n".join(parts), "nginx")


@FUZZ
@given(parts=st.lists(NGINX.filter(lambda part: "{" not in part and part not in ("}", '"', "${a")), max_size=12))
def test_a_location_of_nginx(parts: list[str], tmp_path: Path) -> None:
    inside = "\n".join(part for part in parts if "server" not in part and not part.startswith("listen"))
    found = outcome(
        tmp_path / "nginx.conf",
        f"server {{ listen 80; location /x/ {{ {inside} }} location / {{ proxy_pass http://web:1; }} }}",
        "nginx",
    )
    if (
        found is not None
        and re.search(r"^(deny all|auth_basic|allow)", inside, re.MULTILINE)
        and not re.search("return|internal", inside)
    ):
        guards = {"deny", "allow", "basic_auth", "forward_auth"}
        assert guards & found.routes()["/x/"].keys(), found.text


@FUZZ
@given(parts=st.lists(CADDY, max_size=25))
def test_caddy(parts: list[str], tmp_path: Path) -> None:
    outcome(tmp_path / "Caddyfile", "\n".join(parts), "caddy")


@FUZZ
@given(parts=st.lists(CADDY.filter(lambda part: part[-1:] not in '{"`\\X}'), max_size=12))
def test_a_site_of_caddy(parts: list[str], tmp_path: Path) -> None:
    outcome(tmp_path / "Caddyfile", "http://a.example.com {\n" + "\n".join(parts) + "\n}\n", "caddy")


@FUZZ
@given(labels=st.lists(TRAEFIK, max_size=12))
def test_traefik(labels: list[str], tmp_path: Path) -> None:
    lines = "".join(f"      - 'traefik.http.{label}'\n" for label in labels)
    outcome(tmp_path / "compose.yaml", f"services:\n  web:\n    labels:\n{lines or '      []'}", "traefik")


@FUZZ
@given(data=st.binary(max_size=200))
@pytest.mark.parametrize("language", ["nginx", "caddy", "traefik"])
def test_bytes(language: Language, data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)
    with suppress(UnreadableSourceError):
        import_files([file], language)
