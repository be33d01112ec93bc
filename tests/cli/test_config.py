"""`lb config`: the schema for editors, and an example to start with."""

from __future__ import annotations

import json

from click.testing import CliRunner

from lb.cli.config import config
from lb.config.load import load_bytes
from lb.config.schema import config_schema


def said(command: str) -> str:
    result = CliRunner().invoke(config, [command])
    assert result.exit_code == 0
    return result.stdout


def test_the_schema_is_that_of_the_model() -> None:
    assert json.loads(said("schema")) == json.loads(json.dumps(config_schema()))


def test_the_example_can_be_served_as_it_is() -> None:
    text = said("example")
    loaded = load_bytes("example", text.encode(), {})
    assert loaded.config.apps
    assert loaded.warnings == ()
    assert text.count("#") > 10  # annotated
