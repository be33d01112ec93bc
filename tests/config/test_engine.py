"""The keys of the engine and of deployed environments: spellings, bounds, and what follows from them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lb.config.engine import AppLogSettings, DeploySettings, EngineSettings, PortRange


def test_ports_are_written_as_a_range() -> None:
    ports = EngineSettings.model_validate({"ports": "3000 - 3999"}).ports
    assert (ports, str(ports)) == (PortRange(first=3000, last=3999), "3000-3999")


@pytest.mark.parametrize(
    ("settings", "zone"),
    [
        ({}, "Asia/Shanghai"),
        ({"region": "US"}, "UTC"),
        ({"region": "US", "timezone": "Europe/Berlin"}, "Europe/Berlin"),
    ],
)
def test_the_time_zone_is_the_regions_unless_one_is_given(settings: dict[str, str], zone: str) -> None:
    assert EngineSettings.model_validate(settings).zone == zone


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ports", "80-90"),
        ("ports", "3999-3000"),
        ("ports", 3000),
        ("timezone", "Mars/Olympus"),
        ("api_server", "api.example.com"),
        ("python_mirror", "ftp://x"),
        ("isolation", "docker"),
        ("installer", "conda"),
        ("region", ""),
    ],
)
def test_what_the_engine_cannot_have(key: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        EngineSettings.model_validate({key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cpus", 0),
        ("cpus", True),
        ("cpus", "two"),
        ("startup_timeout", "14s"),
        ("startup_timeout", "121s"),
        ("drain", "29s"),
        ("stop_timeout", "9s"),
        ("no_wake", "robots.txt"),
        ("no_wake", "/robots.txt?x"),
        ("network", "bridge"),
        ("count", 0),
    ],
)
def test_what_a_deployed_environment_cannot_have(key: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        DeploySettings.model_validate({key: value})


@pytest.mark.parametrize(("written", "cpus"), [(0.5, 0.5), ("2", 2.0), (1, 1.0)])
def test_cpus_may_be_fractions(written: Any, cpus: float) -> None:
    assert DeploySettings.model_validate({"cpus": written}).cpus == cpus


def test_lines_of_a_log_are_counted_by_the_minute() -> None:
    assert AppLogSettings.model_validate({"rate": "900/m"}).rate == 900
    with pytest.raises(ValidationError):
        AppLogSettings.model_validate({"rate": "10/s"})
