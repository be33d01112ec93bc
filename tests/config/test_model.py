"""The configuration as the rest of the program sees it: frozen, complete, in one unit and one spelling."""

from __future__ import annotations

from typing import get_args

import pytest
from pydantic import BaseModel, ValidationError

from lb.config.model import AccessLogSettings, Config, EnvironmentSettings, LimitSettings, ListenAddress


def sections(section: type[BaseModel] = Config) -> set[type[BaseModel]]:
    """It, and all in it."""
    found = {section}
    pending = [field.annotation for field in section.model_fields.values()]
    while pending:
        one = pending.pop()
        if isinstance(one, type) and issubclass(one, BaseModel) and one not in found:
            found |= sections(one)
        pending += get_args(one)
    return found


def test_nothing_can_be_changed_later_and_nothing_is_ignored() -> None:
    for section in sections():
        assert section.model_config["frozen"], section
        assert section.model_config["extra"] == "forbid", section
        assert section.model_config["strict"], section


def test_every_key_has_a_description_for_editors() -> None:
    for section in sections():
        if section.__name__.endswith("Address") or section.__name__ in ("PortRange", "Rate"):
            continue  # written as one text
        for name, field in section.model_fields.items():
            assert field.description, f"{section.__name__}.{name}"


def test_short_forms_stand_for_whole_sections() -> None:
    config = Config.model_validate({"access_log": "combined", "limits": {"client_rate": "10/s"}})
    assert config.access_log == AccessLogSettings(format="combined")
    assert config.limits.client_rate is not None
    assert (config.limits.client_rate.requests, config.limits.client_rate.seconds) == (10, 1.0)
    assert str(config.limits.client_rate) == "10/s"


def test_an_address_is_shown_as_it_is_written() -> None:
    assert str(ListenAddress(host="::1", port=80)) == "[::1]:80"
    assert str(ListenAddress(host="127.0.0.1", port=80)) == "127.0.0.1:80"


@pytest.mark.parametrize("values", [{"header_line": 255}, {"body": 0}, {"waiting": 0}])
def test_bounds_of_bounds(values: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        LimitSettings.model_validate(values)


@pytest.mark.parametrize(
    ("written", "checked"),
    [
        ({}, False),
        ({"health_checks": True}, True),
        ({"health_uri": "/up"}, True),
        ({"health_checks": False, "health_uri": "/up"}, False),
    ],
)
def test_whether_an_environment_is_checked(written: dict[str, object], checked: bool) -> None:
    # spec: A1
    environment = EnvironmentSettings.model_validate({"instances": ["127.0.0.1:1"], **written})
    assert environment.is_checked is checked
