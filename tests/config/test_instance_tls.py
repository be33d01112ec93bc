"""The settings of TLS to instances, and addresses that are written with https://."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lb.config.instance_tls import InstanceTlsSettings
from lb.config.load import load_bytes
from lb.config.model import InstanceAddress
from lb.config.problems import ConfigErrors


def instance(written: str) -> InstanceAddress:
    text = f'listen: {{http: ":80"}}\napps: {{a: {{domains: [a.example], production: {{instances: ["{written}"]}}}}}}\n'
    production = load_bytes("lb.yaml", text.encode(), {}).config.apps["a"].production
    assert production is not None
    return production.instances[0]


def test_certificates_are_verified_unless_somebody_says_otherwise() -> None:
    settings = InstanceTlsSettings()
    assert settings.verify
    assert (settings.server_name, settings.ca, settings.cert, settings.key) == (None, None, None, None)


@pytest.mark.parametrize(
    ("written", "name"), [("App.Internal.", "app.internal"), ("10.0.0.5", "10.0.0.5"), ("::1", "::1")]
)
def test_a_server_name_is_a_name_or_an_address(written: str, name: str) -> None:
    assert InstanceTlsSettings(server_name=written).server_name == name


@pytest.mark.parametrize("written", ["", "a b", "https://a", 5, "*.example.com"])
def test_other_server_names_are_refused(written: Any) -> None:
    with pytest.raises(ValidationError):
        InstanceTlsSettings(server_name=written)


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [
        ("https://10.0.0.5:8443", "10.0.0.5", 8443),
        ("https://10.0.0.5", "10.0.0.5", 443),
        ("https://[::1]:8443", "::1", 8443),
        ("https://[2001:DB8::1]", "2001:db8::1", 443),
        ("https://app.internal:8443", "app.internal", 8443),
        ("https://localhost", "localhost", 443),
    ],
)
def test_https_in_front_of_an_address(written: str, host: str, port: int) -> None:
    found = instance(written)
    assert (found.host, found.port, found.path, found.text, found.tls) == (host, port, "", written, True)


def test_plain_http_is_written_without() -> None:
    assert not instance("10.0.0.5:8443").tls


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("https://10.0.0.5:8443/", "has a path"),
        ("https://10.0.0.5:8443/app", "write https://10.0.0.5:8443"),
        ("https://::1", "no brackets"),
        ("https://10.0.0.5:0", "port 0"),
        ("https://10.0.0.5:65536", "invalid port"),
        ("https://", "lacks an address"),
        ("https://300.1.1.1:1", "invalid IP address"),
        ("http://10.0.0.5:8080", "write 10.0.0.5:8080"),
    ],
)
def test_what_is_not_an_address(written: str, says: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        instance(written)
    assert says in str(caught.value.problems[0])
