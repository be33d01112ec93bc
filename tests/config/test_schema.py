"""The JSON Schema: it has every key with a description, and takes what people write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lb.config.schema import config_schema

HERE = Path(__file__).parents[2]
SCHEMA = config_schema()


def is_valid(value: Any, schema: dict[str, Any]) -> bool:
    """The part of JSON Schema that the configuration's schema uses; another keyword fails the test of keywords."""
    if "$ref" in schema and not is_valid(value, SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")]):
        return False
    if "anyOf" in schema and not any(is_valid(value, option) for option in schema["anyOf"]):
        return False
    types: dict[str, Any] = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "object": dict,
        "array": list,
        "null": type(None),
    }
    if "type" in schema and not (
        isinstance(value, types[schema["type"]]) and (schema["type"] == "boolean" or not isinstance(value, bool))
    ):
        return False
    if "enum" in schema and not any(value == word and type(value) is type(word) for word in schema["enum"]):
        return False
    if "const" in schema and value != schema["const"]:
        return False
    if "pattern" in schema and (not isinstance(value, str) or re.search(schema["pattern"], value) is None):
        return False
    if isinstance(value, (int, float)):
        least, most, above = (
            schema.get("minimum", value),
            schema.get("maximum", value),
            schema.get("exclusiveMinimum", value - 1),
        )
        return bool(least <= value <= most and above < value)
    if isinstance(value, list):
        return all(is_valid(item, schema.get("items", {})) for item in value)
    if isinstance(value, dict):
        if not set(schema.get("required", ())) <= set(value):
            return False
        known, rest = schema.get("properties", {}), schema.get("additionalProperties", {})
        return all(
            is_valid(item, known[key]) if key in known else rest is not False and is_valid(item, rest)
            for key, item in value.items()
        )
    return True


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema inside `schema`."""
    if isinstance(schema, list):
        for item in schema:
            yield from parts(item)
    elif isinstance(schema, dict):
        yield schema
        for key, item in schema.items():
            if key in {"properties", "$defs"}:
                for inner in item.values():
                    yield from parts(inner)
            elif key not in {"default", "enum", "required"}:
                yield from parts(item)


def test_only_keywords_that_this_test_knows() -> None:
    known = {
        "$schema",
        "$defs",
        "$ref",
        "anyOf",
        "type",
        "enum",
        "const",
        "pattern",
        "minimum",
        "maximum",
        "exclusiveMinimum",
    }
    known |= {"items", "required", "properties", "additionalProperties", "title", "description", "default"}
    assert {key for part in parts(SCHEMA) for key in part} <= known


def test_every_key_is_described_and_no_other_is_allowed() -> None:
    # spec: R1
    sections = [SCHEMA, *(part for part in SCHEMA["$defs"].values() if part["type"] == "object")]
    assert len(sections) >= 10
    for section in sections:
        assert section["additionalProperties"] is False
        for key, schema in section["properties"].items():
            reference = SCHEMA["$defs"].get(schema.get("$ref", "").removeprefix("#/$defs/"), {})
            assert schema.get("description") or reference.get("description"), key


@pytest.mark.parametrize("file", ["lb/config/example.yaml", "config/demo.yaml"])
def test_what_we_ship_is_valid(file: str) -> None:
    assert is_valid(yaml.safe_load((HERE / file).read_text(encoding="utf-8")), SCHEMA)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "workers: 4",
        "workers: auto",
        "workers: ${WORKERS}",
        "limits: {body: 100M, header_line: 8192, header_total: '64 KiB'}",
        "limits: {body: '${BODY}', connections: '${C:-5}'}",
        "timeouts: {idle: 75, head: 0.5, connect: 500ms, response: 2m}",
        "access_log: off",
        "access_log: combined",
        "access_log: {format: json}",
        "compression: off",
        "compression: {algorithms: gzip}",
        "admin: off",
        "admin: 127.0.0.1:9180",
        "listen: {http: ':80', https: ['127.0.0.1:443', ':444']}",
        "trusted_proxies: 10.0.0.0/8",
        "tls: {certificates: {cert: a, key: b}}",
        "apps: {a: {domains: a.example}}",
        "apps: {a: {domains: [a.example, {name: b.example, cdn: 'on', force_https: true}]}}",
        "apps: {a: {domains: {name: b.example, cdn: '${CDN}'}}}",
        "apps: {a: {production: {instances: 'b:1'}, staging: {instances: ['c:1'], balance: round_robin}}}",
        "apps: {a: {production: {instances: 'b:1', balance: consistent_hash, hash_on: 'header:X-User'}}}",
        "apps: {a: {production: {instances: 'b:1', unhealthy_status: [429, 5xx], unhealthy_latency: 2s}}}",
        "apps: {a: {production: {instances: 'b:1', slow_start: 10s, retry_budget: 20%, max_fails: 3}}}",
        "apps: {a: {production: {instances: 'b:1', slow_start: 'off', retry_budget: 'off'}}}",
    ],
)
def test_what_people_write_is_valid(text: str) -> None:
    assert is_valid(yaml.safe_load(text), SCHEMA)


@pytest.mark.parametrize(
    "text",
    [
        "worker: 4",
        "workers: 0",
        "workers: many",
        "workers: null",
        "limits: {body: lots}",
        "limits: {body: true}",
        "limits: 5",
        "timeouts: {idle: 0}",
        "timeouts: {idle: 1y}",
        "access_log: jsn",
        "compression: {algorithms: deflate}",
        "tls: {certificates: [{cert: a}]}",
        "listen: ':80'",
        "apps: [a]",
        "apps: {a: {domain: a.example}}",
        "apps: {a: {domains: {cdn: true}}}",
        "apps: {a: {domains: {name: a.example, cdn: maybe}}}",
        "apps: {a: {production: {instances: 'b:1', balance: random}}}",
        "apps: {a: {production: {instances: 'b:1', hash_on: path}}}",
        "apps: {a: {production: {instances: 'b:1', unhealthy_status: 600}}}",
        "apps: {a: {production: {instances: 'b:1', retry_budget: 0.2}}}",
    ],
)
def test_mistakes_are_not_valid(text: str) -> None:
    assert not is_valid(yaml.safe_load(text), SCHEMA)
