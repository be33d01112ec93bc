"""What several settings mean together: what cannot work, and what is legal but surprising."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lb.config.load import load_bytes
from lb.config.problems import ConfigErrors

BASE: dict[str, Any] = {
    "listen": {"http": "127.0.0.1:8080"},
    "apps": {"shop": {"domains": ["a.example"], "production": {"instances": ["127.0.0.1:1"]}}},
}


def app(**change: Any) -> dict[str, Any]:
    return {"shop": {**BASE["apps"]["shop"], **change}}


def said(**change: Any) -> tuple[list[str], list[str]]:
    """Errors and warnings."""
    try:
        loaded = load_bytes("lb.yaml", json.dumps({**BASE, **change}).encode(), {})
    except ConfigErrors as errors:
        return [one.message for one in errors.problems], [one.message for one in errors.warnings]
    return [], [one.message for one in loaded.warnings]


def test_what_is_right_is_not_remarked_upon() -> None:
    assert said() == ([], [])


# spec: E3
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"listen": {}}, "there is no listener"),
        ({"listen": {"http": ["127.0.0.1:8080", "127.0.0.1:8080"]}}, "8080"),
        ({"listen": {"https": "127.0.0.1:8443"}}, "certificate"),
        ({"apps": app(domains=[{"name": "a.example", "force_https": True}])}, "redirects to HTTPS"),
        ({"apps": app(domains=["stg-a.example"])}, "stg-a.example"),
        ({"limits": {"client_burst": 5}}, "client_burst"),
        ({"limits": {"header_line": 9000, "header_total": 1000}}, "header_"),
        ({"apps": {**app(), "other": BASE["apps"]["shop"]}}, "a.example"),
        ({"shared_domain": "a.example", "apps": {"x" * 70: BASE["apps"]["shop"]}}, "x"),
    ],
)
def test_what_cannot_work(change: dict[str, Any], words: str) -> None:
    errors, _ = said(**change)
    assert errors
    assert any(words in error for error in errors), errors


# spec: E3
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"apps": app(domains=["*.com"])}, "*.com"),
        ({"apps": app(domains=[{"name": "a.example", "cdn": True}])}, "no CDN is trusted"),
        ({"access_log": {"path": "stdout"}}, "stdout"),
        ({"admin": "0.0.0.0:9000"}, "admin"),
    ],
)
def test_what_is_legal_but_surprising(change: dict[str, Any], words: str) -> None:
    errors, warnings = said(**change)
    assert errors == []
    assert any(words in warning for warning in warnings), warnings
