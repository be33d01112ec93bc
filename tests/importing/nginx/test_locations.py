"""Which requests go where: the order of locations, and what their paths are in lb."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lb.importing.omissions import Weight
from tests.importing.harness import Import

Server = Callable[..., Import]
APP = "location / { proxy_pass http://127.0.0.1:3000; }"


def test_longer_prefixes_come_first(server: Server) -> None:
    found = server(APP + "location /api/ { proxy_pass http://api:1; } location /api/v2/ { proxy_pass http://next:2; }")
    assert list(found.routes()) == ["/api/v2/", "/api/"]
    assert found.routes()["/api/v2/"]["app"] == "next"
    assert found.apps["next"]["production"]["instances"] == ["next:2"]
    assert found.omitted() == []


def test_exact_then_marked_then_expressions_then_prefixes(server: Server) -> None:
    found = server(
        """
        location /a/b/ { proxy_pass http://prefix:1; }
        location ~ ^/a/(b|c)/ { proxy_pass http://regex:1; }
        location ^~ /a/c/ { proxy_pass http://marked:1; }
        location = /a/c/x { proxy_pass http://exact:1; }
        """
        + APP
    )
    assert [(path, route["app"]) for path, route in found.routes().items()] == [
        ("/a/c/x", "exact"),
        ("/a/c/", "marked"),
        ("/a/b/", "regex"),
    ]
    assert found.omits("never match") is False


def test_a_prefix_that_an_expression_takes_only_in_lb_comes_before_it(server: Server) -> None:
    found = server(
        "location /api/0/ { proxy_pass http://web:1; } location ~ ^/api/[1-9][0-9]*/ { proxy_pass http://relay:1; }"
        + APP
    )
    assert list(found.routes()) == ["/api/0/", "/api/{p1}/"]
    assert found.omits("matches more than that", Weight.ROUTING)


def test_a_prefix_without_a_slash_ends_at_one(server: Server) -> None:
    found = server("location /events { proxy_pass http://events:8888/events; }" + APP)
    assert found.routes() == {"/events/": {"path": "/events/", "app": "events"}}
    assert found.omits("nginx also other paths that begin so", Weight.TUNING)


def test_a_guarded_prefix_that_lb_takes_less_of_is_the_heaviest(server: Server) -> None:
    found = server("location /admin { deny all; }" + APP)
    assert found.routes()["/admin/"]["deny"] is True
    assert found.omits("also other paths", Weight.ACCESS)


def test_a_file_is_exact(server: Server) -> None:
    found = server("location /favicon.ico { root /srv; }" + APP)
    assert found.routes() == {"/favicon.ico": {"path": "/favicon.ico", "files": "/srv"}}


def test_a_path_that_ends_in_a_slash_cannot_be_exact(server: Server) -> None:
    found = server("location = / { return 302 /app; }" + APP)
    assert found.routes() == {}
    assert found.omits("location = /", Weight.ROUTING)


def test_locations_within_locations(server: Server) -> None:
    found = server("location / { location /static/ { root /srv; } proxy_pass http://web:8000; }")
    assert found.routes() == {"/static/": {"path": "/static/", "files": "/srv/static"}}
    assert found.app["production"]["instances"] == ["web:8000"]


def test_an_expression_without_a_path_is_told(server: Server) -> None:
    found = server(r"location ~* \.(css|js)$ { expires 1y; }" + APP)
    assert found.omits("lb has no path that says this", Weight.BEHAVIOUR)


def test_an_expression_that_refuses_is_told_first(server: Server) -> None:
    found = server(r"location ~ /\.git { return 404; } location ~ \.php$ { proxy_pass http://x; }" + APP)
    assert [one.weight for one in found.omitted()] == [Weight.ACCESS, Weight.ROUTING]
    assert "the app gets these requests now" in found.omitted()[0].hint


def test_rules_that_change_nothing_are_left_out(server: Server) -> None:
    found = server("location /x/ { proxy_pass http://web:1; } location / { proxy_pass http://web:1; }")
    assert found.routes() == {}
    assert list(found.apps) == ["shop"]


def test_a_rule_stays_where_a_later_one_would_take_its_requests(server: Server) -> None:
    found = server(
        """
        location /x/y/ { proxy_pass http://web:1; }
        location /x/ { proxy_pass http://other:1; }
        location / { proxy_pass http://web:1; }
        """
    )
    assert list(found.routes()) == ["/x/y/", "/x/"]
    assert "app" not in found.routes()["/x/y/"]


def test_what_is_only_for_inside_is_not_served(server: Server) -> None:
    found = server("location /protected/ { internal; alias /srv/media/; }" + APP)
    assert found.routes() == {}
    assert found.omits("X-Accel-Redirect", Weight.ROUTING)


def test_challenges_of_another_acme_client(nginx: Callable[[str], Import]) -> None:
    found = nginx(
        """
        server { listen 80; server_name shop.example.com;
          location /.well-known/acme-challenge/ { root /var/www/certbot; }
          location / { return 301 https://$host$request_uri; } }
        server { listen 443 ssl; server_name shop.example.com; ssl_certificate a.pem; ssl_certificate_key a.key;
          location / { proxy_pass http://127.0.0.1:3000; } }
        """
    )
    assert found.settings["tls"]["challenges"] == "/var/www/certbot/.well-known/acme-challenge"
    assert found.app["domains"] == [{"name": "shop.example.com", "force_https": True}]
    assert found.omitted() == []


@pytest.mark.parametrize("inside", ["root /srv/www; index index.html;", "location / { root /srv/www; }"])
def test_a_server_of_files_needs_no_instances(server: Server, inside: str) -> None:
    found = server(inside)
    assert found.routes() == {"/": {"path": "/", "files": "/srv/www"}}
    assert "production" not in found.app


def test_a_server_without_an_answer_for_every_path_refuses_the_rest(server: Server) -> None:
    found = server("location /api/ { proxy_pass http://api:1; }")
    assert list(found.routes()) == ["/api/", "/"]
    assert found.routes()["/"]["deny"] is True
