"""How basic_auth and forward_auth are written, and what is refused of them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lb.config.route_settings import RouteSettings


def route(**settings: Any) -> RouteSettings:
    return RouteSettings.model_validate(settings)


def test_each_has_a_short_form() -> None:
    basic = route(basic_auth="htpasswd").basic_auth
    assert basic is not None
    assert (str(basic.file), basic.realm) == ("htpasswd", "restricted")
    forward = route(forward_auth="http://127.0.0.1:9091").forward_auth
    assert forward is not None
    assert (forward.copy, forward.timeout) == ((), 10.0)


@pytest.mark.parametrize(
    ("url", "host", "port", "target"),
    [
        ("http://127.0.0.1:9091/verify?rd=%2F", "127.0.0.1", 9091, "/verify?rd=%2F"),
        ("http://[::1]:9091", "::1", 9091, "/"),
        ("http://auth/", "auth", 80, "/"),
        (" http://my_auth.internal:4180/oauth2/auth", "my_auth.internal", 4180, "/oauth2/auth"),
    ],
)
def test_a_url_is_taken_apart(url: str, host: str, port: int, target: str) -> None:
    forward = route(forward_auth={"url": url, "copy": "Remote-User", "timeout": "2s"}).forward_auth
    assert forward is not None
    assert (forward.url.host, forward.url.port, forward.url.target) == (host, port, target)
    assert (forward.copy, forward.timeout) == (("Remote-User",), 2.0)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"forward_auth": "https://a.example/"}, "https"),
        ({"forward_auth": "127.0.0.1:9091"}, "not a URL"),
        ({"forward_auth": "http://user:pw@a/"}, "not a URL"),
        ({"forward_auth": "http://a/#x"}, "not a URL"),
        ({"forward_auth": "http://a:0/"}, "not a URL"),
        ({"forward_auth": "http://a:99999/"}, "not a URL"),
        ({"forward_auth": "http:///x"}, "not a URL"),
        ({"forward_auth": "http://a b/"}, "must encode"),
        ({"forward_auth": "http://a..b/"}, "names no host"),
        ({"forward_auth": "http://300.1.1.1/"}, "names no host"),
        ({"forward_auth": "http://a/x y"}, "must encode"),
        ({"forward_auth": "http://a/x\r\ny"}, "must encode"),
        ({"forward_auth": "http://a/ä"}, "must encode"),
        ({"forward_auth": {"url": 5}}, "not a URL"),
        ({"forward_auth": {"url": "http://a", "copy": "Host"}}, "the request's own"),
        ({"forward_auth": {"url": "http://a", "copy": ["X-Real-IP"]}}, "lb itself"),
        ({"forward_auth": {"url": "http://a", "copy": ["Content-Length"]}}, "message ends"),
        ({"forward_auth": {"url": "http://a", "copy": ["a b"]}}, "not a field name"),
        ({"forward_auth": {"url": "http://a", "copy": [5]}}, "not a field name"),
        ({"forward_auth": {"url": "http://a", "timeout": "2h"}}, "2h"),
        ({"basic_auth": {"file": "a", "realm": "a\nb"}}, "no realm"),
        ({"basic_auth": {"file": "a", "realm": ""}}, "no realm"),
        ({"basic_auth": {"realm": "a"}}, "Field required"),
    ],
)
def test_other_settings_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        route(**settings)
