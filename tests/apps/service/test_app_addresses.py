"""The URLs of an environment."""

from __future__ import annotations

import pytest

from lb.apps.service.app_addresses import app_urls
from lb.config.load import load_bytes


@pytest.mark.parametrize(
    ("listen", "more", "environment", "urls"),
    [
        ("{http: ':80'}", "", "production", ["http://shop.example.com"]),
        ("{http: ':8080'}", "", "staging", ["http://stg-shop.example.com:8080"]),
        ("{http: ':80', https: ':443'}", "", "production", ["https://shop.example.com"]),
        ("{https: ':8443'}", "", "production", ["https://shop.example.com:8443"]),
        ("{http: '127.0.0.1:0'}", "", "production", []),
        (
            "{http: ':80'}",
            "shared_domain: apps.example.org",
            "production",
            ["http://shop.example.com", "http://shop.apps.example.org"],
        ),
    ],
)
def test_urls(listen: str, more: str, environment: str, urls: list[str]) -> None:
    domains = "[shop.example.com, stg-shop.example.com, '*.example.net', '*']"
    tls = "tls: {acme: {email: ops@example.com, agree_to_terms: true}}" if "https" in listen else ""
    app = f"{{domains: {domains}, production: {{deploy: true}}, staging: {{deploy: true}}}}"
    text = f"listen: {listen}\n{more}\n{tls}\napps: {{shop: {app}}}\n"
    config = load_bytes("lb.yaml", text.encode(), {}).config
    assert app_urls(config, "shop", environment) == urls
    assert app_urls(config, "nobody", environment) == []
