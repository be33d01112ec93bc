"""What the configuration accepts, the JSON Schema accepts: every key of the model with every kind of value.

The other way round nothing is promised: a schema cannot say all that `lb check` knows.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from lb.config.load import load_bytes
from lb.config.problems import ConfigErrors
from tests.config.test_schema import SCHEMA, is_valid

Path = tuple[str | int, ...]

# Every section is there, so that every key has a place.
_ENVIRONMENT = {"instances": "127.0.0.1:5"}
BASE: dict[str, Any] = {
    "listen": {"http": "127.0.0.1:1", "https": "127.0.0.1:2"},
    "tls": {
        "certificates": [{"cert": "a", "key": "b"}],
        "acme": {
            "agree_to_terms": True,
            "eab": {"kid": "a", "hmac_key": "YWJj"},
            "fallback": {"directory": "letsencrypt-staging", "eab": {"kid": "a", "hmac_key": "YWJj"}},
        },
        "on_demand": {"ask": "http://127.0.0.1/x"},
    },
    "access_log": {},
    "limits": {},
    "timeouts": {},
    "compression": {},
    "apps": {
        "a": {
            "domains": [{"name": "x.example"}],
            "production": _ENVIRONMENT,
            "staging": _ENVIRONMENT,
            "cors": {"origins": "https://x.example"},
            "routes": [{"path": "/x", "cors": {"origins": "https://x.example"}}],
        }
    },
}
VALUES: list[Any] = [
    *(None, True, False, "yes", "off", "Off", "ON", "TRUE", "auto", "", "none"),
    *(0, 1, -1, 2, 100, 503, 5000, 10**7, 10**12, 0.5, 1.5, "1", "01", "+5", "1_000", "0x10", "1e3", " 5 ", "\t5"),
    *("5s", "500ms", "5 s", "1.5h", "2d", "10M", "64 KiB", "1.5G", "8k", "100/s", "600 / m", "10/5s", "20%", "20 %"),
    *("0.2", "5xx", "2XX", [], [503, "5xx"], ["a"], "a", "A.Example", "*.example.com", "straße.example"),
    *("gzip", ["gzip", "br"], "Gzip", "json", "combined", "-", "./x", "round_robin", "round-robin", "sticky"),
    *("uri", "client_address", "header:X-A", "header: X-A", "cookie:a", "text/html", ["text/html"], "/x", "/x?y"),
    *("10.0.0.0/8", ["10.0.0.0/8", "::/0"], "127.0.0.1:80", ":80", "[::1]:80", "127.0.0.1", "unix:/x", "localhost"),
    *("letsencrypt", "https://ca.example/x", "http-01", ["http-01", "dns-01"], "name", "app", "ecdsa", "rsa", "RSA"),
    *("required", "optional", "ops@example.com", "mailto:ops@example.com", "a" * 20, "YWJj", "YWJj=="),
    *({}, {"name": "q.example"}, {"ask": "http://a/"}, {"format": "off"}, "${X}", "${X:-1}"),
]


def keys(schema: dict[str, Any], path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every key that may stand at `path` or below, with its schema; those of the first item for lists of sections."""
    for key, inner in schema.get("properties", {}).items():
        here = (*path, key)
        yield here, inner
        if key == "apps":
            yield from keys(SCHEMA["$defs"]["App"], (*here, "a"))
            continue
        section = next((one for one in sections(inner) if "properties" in one), None)
        if section is not None:
            yield from keys(section, (*here, 0) if key in {"domains", "certificates", "routes"} else here)


def sections(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "$ref" in schema:
        yield SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    for option in schema.get("anyOf", ()):
        yield from sections(option)


KEYS = [*keys(SCHEMA, ())]


def put(config: Any, path: Path, value: Any) -> None:
    for part in path[:-1]:
        config = config.setdefault(part, {}) if isinstance(config, dict) else config[part]
    config[path[-1]] = value


def lines(node: yaml.Node | None, path: Path = ()) -> Iterator[tuple[Path, range]]:
    """The lines, from 1, of every value and its key."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, key.value)
            yield here, range(key.start_mark.line + 1, value.end_mark.line + 2)
            yield from lines(value, here)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from lines(value, (*path, number))


def accepted(paths: list[Path], value: Any) -> set[Path]:
    """Those of the keys at which the configuration takes the value; it is put into all of them at once."""
    config = copy.deepcopy(BASE)
    for path in paths:
        put(config, path, copy.deepcopy(value))
    text = yaml.safe_dump(config, allow_unicode=True, width=10_000)
    try:
        load_bytes("lb.yaml", text.encode(), {"X": "1"})
    except ConfigErrors as errors:
        refused = {problem.line for problem in errors.problems}
    else:
        refused = set()
    places = dict(lines(yaml.compose(text, yaml.SafeLoader)))
    return {path for path in paths if refused.isdisjoint(places[path])}


def levels() -> Iterator[list[Path]]:
    """Keys of one depth at a time: none of them is inside another one."""
    for depth in range(1, 8):
        yield [path for path, _ in KEYS if len(path) == depth]


def test_every_section_is_in_the_base() -> None:
    assert accepted([], None) == set()
    assert len(KEYS) > 100
    assert {path[-1] for path, _ in KEYS} >= {"profile", "ask", "client_ca", "hash_on", "kid", "cert"}


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_what_the_configuration_accepts_the_schema_accepts(value: Any) -> None:
    # spec: R1
    schemas = dict(KEYS)
    wrong = [
        path for paths in levels() if paths for path in accepted(paths, value) if not is_valid(value, schemas[path])
    ]
    assert wrong == []


def test_keys_that_may_be_without_a_value() -> None:
    # spec: R1
    found = {".".join(map(str, path)) for paths in levels() if paths for path in accepted(paths, None)}
    assert found == {
        *("tls.acme", "tls.on_demand", "tls.acme.profile", "tls.acme.ca_file", "tls.acme.eab", "tls.acme.email"),
        *("tls.acme.fallback", "tls.acme.fallback.profile", "tls.acme.fallback.ca_file", "tls.acme.fallback.eab"),
    }
    for path, schema in KEYS:
        assert is_valid(None, schema) == (".".join(map(str, path)) in found), path
