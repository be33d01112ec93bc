"""No message shows what a variable holds, or a secret of the file: of any key, however wrong the value is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from lb.cli.check import check
from lb.config import fields
from lb.config.explain import _is_written_as_text, _model_in
from lb.config.load import load_bytes
from lb.config.model import Config
from lb.config.problems import ConfigErrors
from lb.config.redaction import SECRET_KEYS, is_secret

TOKEN = "Zq7xKw93bVt2mLp5"
NUMBER = "48151623429"
SHAPES = (
    *(
        "{}",
        "{}.",
        "http://{}/x",
        "https://user:{}@host/",
        "{}:99999",
        "-{}",
        "*.{}",
        ".{}",
        "{} {}",
        "/{}",
        "unix:{}/",
    ),
    *("[{}]:80", "{}/24", "10.0.0.1/{}", "{}%", "header:{} {}", "{}=b", "ü{}", "~{}", "{}\n", "a.{}.", "{}:80", "a@{}"),
)
BASE = {
    "listen": {"http": "127.0.0.1:80"},
    "apps": {"shop": {"domains": ["a.example"], "production": {"instances": ["127.0.0.1:3000"]}}},
}


def leaves(section: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of the file, and every section as a whole."""
    for key, field in section.model_fields.items():
        here = (*path, key)
        yield here
        inner = _model_in(field.annotation)
        if inner is not None and not _is_written_as_text(inner):
            yield from leaves(inner, (*here, "shop") if key == "apps" else here)


LEAVES = list(leaves(Config))


def file_with(path: tuple[str, ...], value: object) -> bytes:
    config: dict[str, Any] = yaml.safe_load(yaml.safe_dump(BASE))
    part = config
    for key in path[:-1]:
        inner = part.get(key)
        part[key] = inner if isinstance(inner, dict) else {}
        part = part[key]
    part[path[-1]] = value
    return yaml.safe_dump(config).encode()


def said(data: bytes, environ: dict[str, str]) -> str:
    try:
        problems = load_bytes("lb.yaml", data, environ).warnings
    except ConfigErrors as errors:
        problems = (*errors.problems, *errors.warnings)
    return "\n".join(map(str, problems))


def pieces(text: str) -> set[str]:
    return {text[at : at + 5].casefold() for at in range(len(text) - 4)}


def shown(text: str) -> list[str]:
    folded = text.casefold()
    return [piece for piece in pieces(TOKEN) | pieces(NUMBER) if piece in folded]


@pytest.mark.parametrize("path", LEAVES, ids=".".join)
def test_the_value_of_a_variable_is_never_shown(path: tuple[str, ...]) -> None:
    for token, shapes in ((TOKEN, SHAPES), (NUMBER, SHAPES[::2]), (TOKEN * 20, SHAPES[::4])):
        for value in (shape.format(*[token] * 2) for shape in shapes):
            text = said(file_with(path, "${APP_TOKEN}"), {"APP_TOKEN": value})
            assert not shown(text), f"{value!r}: {text}"
            text = said(file_with(path, "a${APP_TOKEN}"), {"APP_TOKEN": value})
            assert not shown(text), f"a{value!r}: {text}"


@given(st.sampled_from(LEAVES), st.text(max_size=6), st.text(max_size=6))
@settings(deadline=None)
def test_whatever_is_around_it(path: tuple[str, ...], before: str, behind: str) -> None:
    assert not shown(said(file_with(path, ["${APP_TOKEN}"]), {"APP_TOKEN": f"{before}{TOKEN}{behind}"}))


def test_the_message_names_the_variable() -> None:
    # spec: R1
    text = said(file_with(("timeouts", "read"), "${APP_TOKEN}"), {"APP_TOKEN": TOKEN})
    assert 'timeouts.read: "${APP_TOKEN}" is not a duration' in text
    assert "hint: write one number and its unit: 500ms, 60s, 2m, 1h" in text
    text = said(file_with(("admin",), "http://${APP_TOKEN}/"), {"APP_TOKEN": TOKEN})
    assert 'admin: "http://${APP_TOKEN}/" is not an address to listen on' in text


def test_what_rules_say_names_the_variable() -> None:
    # spec: R1 D4
    domains = ["${HOST}", "b.example", "${HOST}"]
    text = said(file_with(("apps", "shop", "domains"), domains), {"HOST": "Shop.Example.com"})
    assert "shop.example" not in text.lower()
    assert "${HOST} is bound twice" in text


@pytest.mark.parametrize(
    "line",
    [
        "sticky_secret: {} # too",
        "sticky_secert: {}",
        "sticky-secret: '{}'",
        'hmac_key: "{}"',
        "password: {}",
        "api_key: &a {}",
        "auth_token: |\n        {}",
        "sticky_secret:\n        {}",
        "sticky_secret: {}: b",
        "sticky_secret: '{}",
        "sticky_secret: [{}",
        "ask: http://user:{}@127.0.0.1/",
        '"sticky_secret": "{}", wrong: 1',
    ],
)
def test_secrets_of_the_file_are_not_shown(line: str) -> None:
    for more in ("", "\n      wrong: 1", ", balance: 7"):
        text = said(
            "listen: {http: ':80'}\napps:\n  shop:\n    domains: a.example\n    production:\n"
            f"      instances: 127.0.0.1:3000\n      {line.format(TOKEN)}{more}\n".encode(),
            {},
        )
        assert text
        assert not shown(text), text


def test_secrets_beside_a_mistake_are_dots_and_the_carets_stay() -> None:
    text = said(file_with(("apps",), "x").replace(b"apps: x", f"apps: {{sticky_secret: {TOKEN}, b: 1}}".encode()), {})
    picture = text.splitlines()[1:3]
    assert picture[0].strip() == f"apps: {{sticky_secret: {'•' * len(TOKEN)}, b: 1}}"
    assert picture[1].index("^") == picture[0].index("•")


def test_the_secrets_of_the_model_are_known() -> None:
    secrets = {path[-1] for path in LEAVES if is_secret(path[-1])}
    assert secrets == SECRET_KEYS
    typed = {
        name
        for name, field in Config.model_fields["apps"].annotation.__args__[1].model_fields.items()  # type: ignore[union-attr]
        if field.annotation is fields.Secret
    }
    assert typed <= SECRET_KEYS


def test_check_shows_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # spec: R1
    monkeypatch.setitem(os.environ, "APP_TOKEN", TOKEN)
    file = tmp_path / "lb.yaml"
    file.write_bytes(file_with(("apps", "shop", "production", "sticky_secret"), "${APP_TOKEN}").replace(b"80", b"x"))
    result = CliRunner().invoke(check, [str(file)])
    assert result.exit_code == 78
    assert not shown(result.output)
