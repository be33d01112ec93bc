"""Answers, fields, limits, pages, files: what a server says beside paths and names; and whole files as deployments have
them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lb.importing.import_file import import_files
from lb.importing.omissions import Weight
from lb.importing.source_line import UnreadableSourceError
from tests.importing.harness import Import, assert_loads, import_text

Server = Callable[..., Import]
Nginx = Callable[[str], Import]
PASS = "location / { proxy_pass http://127.0.0.1:3000; }"

# Answers

ANSWERS: list[tuple[str, dict[str, Any]]] = [
    ("location /old/ { return 301 /new$request_uri; }", {"path": "/old/", "redirect": "/new{path}", "status": 301}),
    (
        "location /x/ { return 302 https://b.example.com/; }",
        {"path": "/x/", "redirect": "https://b.example.com/", "status": 302},
    ),
    (
        "location /x/ { return https://b.example.com$uri; }",
        {"path": "/x/", "redirect": "https://b.example.com{path}", "status": 302},
    ),
    (
        "location = /dav { return 308 /remote.php/dav/; }",
        {"path": "/dav", "redirect": "/remote.php/dav/", "status": 308},
    ),
    ("location /x/ { return 404; }", {"path": "/x/", "deny": True}),
    ("location /x/ { rewrite ^/x/(.*)$ /y/$1 permanent; }", {"path": "/x/", "redirect": "/y/{rest}", "status": 301}),
    ("location /api/ { proxy_pass http://api:1/; }", {"path": "/api/", "app": "api", "strip": "/api"}),
    ("location /api { proxy_pass http://api:1/; }", {"path": "/api/", "app": "api", "strip": "/api"}),
    (
        "location /api/ { proxy_pass http://api:1/v1/; }",
        {"path": "/api/", "app": "api", "strip": "/api", "prefix": "/v1"},
    ),
    ("location /api/ { proxy_pass http://api:1/v; }", {"path": "/api/", "app": "api", "rewrite": "/v{rest}"}),
    ("location = /a { proxy_pass http://api:1/b; }", {"path": "/a", "app": "api", "rewrite": "/b"}),
    ("location /api/ { proxy_pass http://api:1/api/; }", {"path": "/api/", "app": "api"}),
    (
        "location /api/ { rewrite ^/api/(.*)$ /$1 break; proxy_pass http://api:1; }",
        {"path": "/api/", "app": "api", "strip": "/api"},
    ),
    (
        "location ~ ^/u/([^/]+)/p$ { proxy_pass http://api:1/photo/$1; }",
        {"path": "/u/{p1}/p", "app": "api", "rewrite": "/photo/{p1}"},
    ),
    ("location /static/ { alias /srv/files/; }", {"path": "/static/", "files": "/srv/files"}),
    ("location /static/ { root /srv; }", {"path": "/static/", "files": "/srv/static"}),
    ("location = /robots.txt { alias /srv/robots.txt; }", {"path": "/robots.txt", "files": "/srv"}),
    ("location = /a/b.txt { root /srv; }", {"path": "/a/b.txt", "files": "/srv/a"}),
    (
        "location /app/ { root /srv; try_files $uri $uri/ /app/index.html; }",
        {"path": "/app/", "files": "/srv/app", "fallback": "index.html"},
    ),
    ("location /s/ { root /srv; try_files $uri =404; }", {"path": "/s/", "files": "/srv/s"}),
    (
        "location /s/ { root /srv; expires 30d; }",
        {"path": "/s/", "files": "/srv/s", "cache_control": "max-age=2592000"},
    ),
    (
        'location /s/ { root /srv; expires 1h; add_header Cache-Control "public"; }',
        {"path": "/s/", "files": "/srv/s", "cache_control": "public, max-age=3600"},
    ),
]


@pytest.mark.parametrize(("written", "route"), ANSWERS)
def test_answers(server: Server, written: str, route: dict[str, Any]) -> None:
    found = server(written + PASS)
    assert next(iter(found.routes().values())) == route
    assert not found.omitted(Weight.ACCESS)
    assert not found.omitted(Weight.ROUTING)


def test_files_before_the_app(server: Server) -> None:
    found = server(
        "root /srv/public; location / { try_files $uri @app; } location @app { proxy_pass http://web:3000; }"
    )
    assert found.app["production"]["instances"] == ["web:3000"]
    assert found.omits("lb does not look for a file before it asks the app", Weight.ROUTING)


ABSENT = [
    ("location /x/ { return 200 ok; }", "lb answers nothing by itself"),
    ("location /x/ { alias /srv/$arg_dir/; }", "depends on the request"),
    ("location = /x.ico { alias /srv/y.ico; }", "a file of another name"),
    ("rewrite ^/a.*b$ /c last;", "changes which location answers"),
    ("location /x/ { rewrite \\.php$ /y redirect; root /srv; }", "the expression has no path"),
]


@pytest.mark.parametrize(("written", "reason"), ABSENT)
def test_answers_without_a_counterpart(server: Server, written: str, reason: str) -> None:
    assert server(written + PASS).omits(reason, Weight.ROUTING)


# Fields

FIELDS: list[tuple[str, dict[str, Any]]] = [
    ("add_header X-Frame-Options DENY always;", {"response": {"set": {"X-Frame-Options": "DENY"}}}),
    ("add_header Link '<a>; rel=x';", {"response": {"add": {"Link": "<a>; rel=x"}}}),
    ("add_header X-Request-Id $request_id;", {"response": {"add": {"X-Request-Id": "{request_id}"}}}),
    ("proxy_hide_header X-Powered-By;", {"response": {"remove": ["X-Powered-By"]}}),
    ('more_set_headers "Server: shop";', {"response": {"set": {"Server": "shop"}}}),
    ("proxy_set_header X-Forwarded-Host $host;", {"request": {"set": {"X-Forwarded-Host": "{host}"}}}),
    ("proxy_set_header X-Forwarded-Port $server_port;", {"request": {"set": {"X-Forwarded-Port": 80}}}),
    ('proxy_set_header Authorization "";', {"request": {"remove": ["Authorization"]}}),
    ("add_header X '{a}';", {"response": {"add": {"X": "{{a}}"}}}),
    ("expires 1h;", {"response": {"set": {"Cache-Control": "max-age=3600"}}}),
]


@pytest.mark.parametrize(("written", "headers"), FIELDS)
def test_fields(server: Server, written: str, headers: dict[str, Any]) -> None:
    found = server(written + PASS)
    assert found.app["headers"] == headers
    assert found.omitted() == []


def test_fields_that_are_sent_anyhow(server: Server) -> None:
    found = server(
        """
        proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; proxy_buffering off;
        """
        + PASS
    )
    assert "headers" not in found.app
    assert found.omitted() == []


@pytest.mark.parametrize(
    "written",
    [
        "proxy_set_header Host backend.internal;",
        "add_header X-Cache $upstream_cache_status;",
        "add_header Content-Length 5;",
        "proxy_set_header X-Forwarded-Proto https;",
    ],
)
def test_fields_without_a_counterpart(server: Server, written: str) -> None:
    assert server(written + PASS).omits(written[:-1], Weight.BEHAVIOUR)


def test_fields_of_a_location_are_on_top_of_the_server_s(server: Server) -> None:
    found = server(
        "add_header A 1; add_header X-Frame-Options DENY; location /y/ { add_header A 2; proxy_pass http://y:1; }"
        + PASS
    )
    assert found.routes()["/y/"]["headers"] == {"response": {"add": {"A": 2}}}
    assert found.omits("X-Frame-Options of the server are sent here, too", Weight.TUNING)


# Limits and times

LIMITS: list[tuple[str, dict[str, Any]]] = [
    ("client_max_body_size 25m;", {"limits": {"body": "25M"}}),
    ("client_max_body_size 0;", {"limits": {"body": "1T"}}),
    ("proxy_read_timeout 5m;", {"timeouts": {"response": "5m", "read": "5m"}}),
    (
        "proxy_read_timeout 1h30m; proxy_connect_timeout 5;",
        {"timeouts": {"response": "90m", "read": "90m", "connect": "5s"}},
    ),
    ("proxy_request_buffering off;", {"buffering": False}),
]


@pytest.mark.parametrize(("written", "settings"), LIMITS)
def test_limits_of_a_server_are_the_app_s(server: Server, written: str, settings: dict[str, Any]) -> None:
    found = server(written + PASS)
    assert {key: found.app[key] for key in settings} == settings
    assert found.omitted() == []


def test_limits_of_a_location_are_the_route_s(server: Server) -> None:
    found = server("location /up/ { client_max_body_size 1g; proxy_pass http://127.0.0.1:3000; }" + PASS)
    assert found.routes()["/up/"] == {"path": "/up/", "limits": {"body": "1G"}}


def test_limits_of_http_are_the_file_s(nginx: Nginx) -> None:
    found = nginx(
        "http { client_max_body_size 10m; keepalive_timeout 65; large_client_header_buffers 4 16k; server { listen 80; "
        + PASS
        + "} }"
    )
    assert found.settings["limits"] == {"body": "10M", "header_line": "16K", "header_total": "64K"}
    assert found.settings["timeouts"] == {"idle": "65s"}
    assert "limits" not in found.app


def test_limits_of_a_server_hold_for_the_apps_that_it_leads_to(server: Server) -> None:
    # spec: L7
    found = server("client_max_body_size 25m; location /api/ { proxy_pass http://api:1; }" + PASS)
    assert found.apps["api"]["limits"] == {"body": "25M"}
    assert found.app["limits"] == {"body": "25M"}


def test_an_app_of_two_servers_has_the_limits_of_each_in_its_routes(nginx: Nginx) -> None:
    text = "upstream api { server api:1; }"
    for name, size in (("a", "1m"), ("b", "2m")):
        text += (
            f"server {{ listen 80; server_name {name}.example.com; client_max_body_size {size}; "
            f"location /api/ {{ proxy_pass http://api; }} {PASS} }}"
        )
    found = nginx(text)
    assert [found.routes(app)["/api/"]["limits"] for app in ("a", "b")] == [{"body": "1M"}, {"body": "2M"}]
    assert "limits" not in found.apps["api"]


def test_rates(nginx: Nginx) -> None:
    found = nginx(
        """
        limit_req_zone $binary_remote_addr zone=login:10m rate=5r/m; limit_conn_zone $binary_remote_addr zone=conn:10m;
        server { listen 80; limit_conn conn 20;
          location /login { limit_req zone=login burst=10 nodelay; proxy_pass http://127.0.0.1:3000; }
        """
        + PASS
        + "}"
    )
    assert found.routes()["/login/"]["limits"] == {"client_rate": "5/m", "client_burst": 11}
    assert found.settings["limits"] == {"client_connections": 20}


def test_a_rate_by_something_else(nginx: Nginx) -> None:
    found = nginx(
        "limit_req_zone $server_name zone=a:1m rate=5r/s; server { listen 80; limit_req zone=a; " + PASS + "}"
    )
    assert found.omits("limit_req zone=a", Weight.ACCESS)


# Pages


def test_error_pages_are_those_of_the_proxy(server: Server) -> None:
    found = server("error_page 404 500 502 504 /50x.html; location = /50x.html { root /srv/pages; }" + PASS)
    assert found.app["errors"] == {502: "/srv/pages/50x.html", 504: "/srv/pages/50x.html"}
    assert found.omits("for 404, 500 the app's own page is sent", Weight.TUNING)


def test_error_pages_that_replace_the_app_s(server: Server) -> None:
    found = server(
        "proxy_intercept_errors on; error_page 404 /404.html; root /srv; location = /404.html { internal; }" + PASS
    )
    assert list(found.app["errors"].values()) == ["/srv/404.html"]
    assert found.omitted() == []


# What is left out

LEFT_OUT = [
    ("proxy_cache zone;", Weight.BEHAVIOUR),
    ("sub_filter a b;", Weight.BEHAVIOUR),
    ("modsecurity on;", Weight.ACCESS),
    ("limit_rate 1m;", Weight.TUNING),
    ("access_log off;", Weight.LOGGING),
    ("content_by_lua_block { x }", Weight.BEHAVIOUR),
    ("some_new_module on;", Weight.BEHAVIOUR),
    ("ssl_protocols TLSv1 TLSv1.2;", Weight.TUNING),
    ("proxy_redirect http://a/ /b/;", Weight.BEHAVIOUR),
]


@pytest.mark.parametrize(("written", "weight"), LEFT_OUT)
def test_what_has_no_counterpart_is_told(server: Server, written: str, weight: Weight) -> None:
    found = server(written + PASS)
    assert [one.weight for one in found.omitted()] == [weight]
    assert written.split(" ", maxsplit=1)[0].rstrip(";") in found.omitted()[0].message


@pytest.mark.parametrize(
    "written", ["tcp_nopush on;", "gzip on;", "server_tokens off;", "proxy_cache off;", "fastcgi_param A b;"]
)
def test_what_needs_none_is_not(server: Server, written: str) -> None:
    assert server(written + PASS).omitted() == []


# Files


def test_includes(tmp_path: Path) -> None:
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "shop.conf").write_text(
        f"server {{\n listen 80;\n include common/proxy.conf;\n server_name shop.example.com;\n{PASS} }}"
    )
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "proxy.conf").write_text("client_max_body_size 9m;")
    found = import_text(
        tmp_path, "http { include mime.types; include /etc/nginx/sites/*.conf; include none/*.conf; }", "nginx.conf"
    )
    assert found.app["limits"] == {"body": "9M"}
    assert found.comment("9M") == "common/proxy.conf:1"
    assert found.comment("shop.example.com") == "sites/shop.conf:4"
    assert found.omitted() == []


def test_an_include_that_is_not_here_is_the_heaviest(server: Server) -> None:
    assert server("include snippets/auth.conf;" + PASS).omits("snippets/auth.conf is not here", Weight.ACCESS)


def test_files_that_include_each_other(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("include b.conf;")
    (tmp_path / "b.conf").write_text("include a.conf;")
    with pytest.raises(UnreadableSourceError, match="include each other"):
        import_files([tmp_path / "a.conf"])


@pytest.mark.parametrize("data", [b"", b"events { }", b"\xff\xfe", b"http { }"])
def test_a_file_that_has_no_server(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "nginx.conf").write_bytes(data)
    with pytest.raises(UnreadableSourceError):
        import_files([tmp_path / "nginx.conf"])


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSourceError, match="cannot be read"):
        import_files([tmp_path / "nginx.conf"])


# A whole file, as a Django project with WebSockets has it

DJANGO = """\
upstream app_server {{
    server unix:/run/gunicorn.sock fail_timeout=0;
}}
upstream sockets {{ server 127.0.0.1:8001; }}
server {{
    listen 80;
    server_name shop.example.com www.shop.example.com;
    return 301 https://$host$request_uri;
}}
server {{
    listen 443 ssl http2;
    server_name www.shop.example.com;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    return 301 https://shop.example.com$request_uri;
}}
server {{
    listen 443 ssl http2;
    server_name shop.example.com;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    client_max_body_size 4G;
    add_header Strict-Transport-Security "max-age=63072000" always;
    location /static/ {{ alias {folder}/static/; expires max; }}
    location /ws/ {{
        proxy_pass http://sockets;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
        proxy_read_timeout 1d;
    }}
    location / {{
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_redirect off;
        proxy_pass http://app_server;
    }}
}}
"""


def test_a_whole_file(nginx: Nginx, tmp_path: Path) -> None:
    found = nginx(DJANGO.format(folder=tmp_path))
    assert found.omitted() == []
    assert found.app == {
        "domains": [
            {"name": "shop.example.com", "force_https": True},
            {"name": "www.shop.example.com", "force_https": True, "redirect": "shop.example.com"},
        ],
        "production": {"instances": ["unix:/run/gunicorn.sock"]},
        "headers": {"response": {"set": {"Strict-Transport-Security": "max-age=63072000"}}},
        "limits": {"body": "4G"},
        "routes": [
            {"path": "/static/", "files": str(tmp_path / "static"), "cache_control": "max-age=315360000"},
            {"path": "/ws/", "app": "sockets", "timeouts": {"response": "1d", "read": "1d"}},
        ],
    }
    assert_loads(found.text)


def test_each_line_names_the_one_that_says_it(nginx: Nginx, tmp_path: Path) -> None:
    found = nginx(DJANGO.format(folder=tmp_path))
    lines = found.source.splitlines()
    for line in found.text.splitlines():
        value, comment, place = line.partition("  # nginx.conf:")
        if comment:
            words = value.replace('"', "").replace("[", "").split()
            said = [lines[int(number) - 1] for number in place.partition(";")[0].split(", ")]
            last = words[-1].removesuffix("G").removesuffix("d")
            assert any(last in one or words[0] in ("force_https:", "cache_control:", "app:", "-") for one in said), line
