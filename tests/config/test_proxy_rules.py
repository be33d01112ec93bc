"""What the settings about proxies in front, and HSTS, mean together."""

from __future__ import annotations

from typing import Any

import pytest

from tests.config.test_route_rules import problems

SHOP = "shop.example.com"
TRUSTED = {"trusted_proxies": ["10.0.0.0/8"]}
HTTPS = {"listen": {"http": "127.0.0.1:80", "https": "127.0.0.1:443"}, "tls": {"store": "certs"}}


def domain(**settings: Any) -> dict[str, Any]:
    return {"domains": [{"name": SHOP, **settings}]}


@pytest.mark.parametrize(
    ("app", "top", "says"),
    [
        (domain(cdn=True), {}, "cdn is on, but no CDN is trusted"),
        (domain(client_from="forwarded"), {}, "client_from is forwarded, but no proxy is trusted"),
        ({"client_from": "forwarded"}, {}, "client_from is forwarded, but no proxy is trusted"),
        ({}, {"listen": {"http": "127.0.0.1:80", "proxy_protocol": True}}, "PROXY headers are refused"),
        ({}, TRUSTED, "trusted_proxies are not used"),
        (domain(cdn=True), {"trusted_proxies": "0.0.0.0/0"}, "lets every client claim any address"),
        (domain(cdn=True, force_https=True), {**TRUSTED, **HTTPS}, "the CDN's X-Forwarded-Proto"),
        (
            {**domain(force_https=True), "client_from": "forwarded"},
            {**TRUSTED, **HTTPS},
            "the proxy's X-Forwarded-Proto",
        ),
        (domain(hsts=True), {}, "only sent over HTTPS"),
        (domain(hsts=True), HTTPS, "not redirected to HTTPS"),
        (domain(hsts={"preload": True}, force_https=True), HTTPS, "preload needs subdomains"),
    ],
)
def test_what_is_said(app: dict[str, Any], top: dict[str, Any], says: str) -> None:
    assert sum(says in str(problem) for problem in problems(app, **top)) == 1


@pytest.mark.parametrize(
    ("app", "top"),
    [
        (domain(client_from="forwarded"), TRUSTED),
        ({"client_from": "forwarded"}, {"trusted_proxies": "cloudflare"}),
        ({**domain(client_from="connection", cdn=True), "client_from": "forwarded"}, {"trusted_proxies": "private"}),
        ({}, {**TRUSTED, "listen": {"http": "127.0.0.1:80", "proxy_protocol": True}}),
        (domain(client_from="forwarded", hsts=True), TRUSTED),
    ],
)
def test_what_is_fine(app: dict[str, Any], top: dict[str, Any]) -> None:
    assert problems(app, **top) == []
