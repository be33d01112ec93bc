"""docs/configuration.md is the reference: it names every key with its default, and what it shows can be used."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from pydantic import BaseModel

from lb.config.acme import Acme, ExternalAccount, OnDemand
from lb.config.engine import AppLogSettings, BuildBounds, EngineSettings, PublicAddresses
from lb.config.field_settings import CorsSettings, ResponseFields
from lb.config.guard_settings import BasicAuthSettings, ForwardAuthSettings
from lb.config.hsts import HstsSettings
from lb.config.instance_tls import InstanceTlsSettings
from lb.config.load import load_bytes
from lb.config.model import (
    AccessLogSettings,
    App,
    CertificateFiles,
    CompressionSettings,
    Config,
    Domain,
    EnvironmentSettings,
    LimitSettings,
    Listen,
    Timeouts,
    Tls,
)
from lb.config.own_settings import OwnLimits, OwnTimeouts
from lb.config.route_settings import RouteSettings
from lb.config.units import parse_duration, parse_size

HERE = Path(__file__).parents[2]
README = (HERE / "docs" / "configuration.md").read_text(encoding="utf-8")
ROWS = {row[1]: row[2].strip() for row in re.finditer(r"^\| `([^`]+)` \| [^|]+ \| ([^|]+) \|", README, re.MULTILINE)}
SECTIONS: dict[str, type[BaseModel]] = {
    "listen.": Listen,
    "tls.": Tls,
    "tls.certificates[].": CertificateFiles,
    "tls.acme.": Acme,
    "tls.acme.eab.": ExternalAccount,
    "tls.on_demand.": OnDemand,
    "access_log.": AccessLogSettings,
    "limits.": LimitSettings,
    "timeouts.": Timeouts,
    "compression.": CompressionSettings,
    "engine.": EngineSettings,
    "engine.build.": BuildBounds,
    "engine.addresses.": PublicAddresses,
    "logs.": AppLogSettings,
    "apps.<name>.": App,
    "instance_tls.": InstanceTlsSettings,
    "routes[].": RouteSettings,
    "basic_auth.": BasicAuthSettings,
    "forward_auth.": ForwardAuthSettings,
    "headers.response.": ResponseFields,
    "cors.": CorsSettings,
    "own limits.": OwnLimits,
    "own timeouts.": OwnTimeouts,
    "": Domain,
}


def test_every_key_is_in_the_reference() -> None:
    # spec: R1
    keys = {prefix + key for prefix, section in SECTIONS.items() for key in section.model_fields}
    keys |= set(EnvironmentSettings.model_fields) | set(Config.model_fields) - {
        "listen",
        "tls",
        "access_log",
        "limits",
        "timeouts",
        "engine",
        "apps",
    }
    assert keys == set(ROWS) | {"compression"}


def test_defaults_of_the_reference_are_those_of_the_model() -> None:
    for key in LimitSettings.model_fields:
        default = getattr(LimitSettings(), key)
        written = ROWS[f"limits.{key}"].strip("`")
        assert written == "none" if default is None else parse_size(written) == default, key
    for key in Timeouts.model_fields:
        written = ROWS[f"timeouts.{key}"].strip("`")
        assert (None if written == "off" else parse_duration(written)) == getattr(Timeouts(), key), key


def test_examples_of_the_reference() -> None:
    examples = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)]
    assert len(examples) >= 4
    base = {
        **examples[0],
        "listen": {"http": ":80", "https": ":443"},
        "tls": {"certificates": {"cert": "a", "key": "b"}},
    }
    for example in examples:
        load_bytes("README.md", yaml.safe_dump({**base, **(example or {})}).encode(), {})


def test_the_files_beside_it() -> None:
    for name in ("example.yaml", "demo.yaml"):
        path = HERE / "config" / name
        loaded = load_bytes(name, path.read_bytes(), {})
        assert loaded.warnings == (), name
        assert loaded.config.apps
    assert (HERE / "config" / "example.yaml").resolve() == HERE / "lb" / "config" / "example.yaml"


def test_the_example_has_every_key() -> None:
    text = (HERE / "config" / "example.yaml").read_text(encoding="utf-8")
    keys = set(re.findall(r"(\w+):(?= |$)", text, re.MULTILINE))
    sections: list[type[BaseModel]] = [*SECTIONS.values(), EnvironmentSettings, HstsSettings, Config]
    wanted = {key for section in sections for key in section.model_fields}
    assert wanted <= keys
