"""Settings → YAML: whatever a value is, it is read back as it was, and each comment is on its line."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from lb.config.compose import compose, decode
from lb.config.problems import Problem, Source
from lb.config.tree import Reader
from lb.importing.draft import Said
from lb.importing.source_line import SourceLine
from lb.importing.yaml_text import yaml_text

AT = SourceLine("nginx.conf", 7)


def read_back(text: str) -> object:
    """As lb reads it."""
    problems: list[Problem] = []
    source = Source.of("x", decode("x", text.encode()))
    value = Reader(source, None).read(compose(source, problems))
    assert not problems
    return value


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Co", "Cn"]), min_size=1, max_size=40)


@given(value=TEXTS)
def test_any_text_is_read_back(value: str) -> None:
    text = yaml_text({"key": Said(value, (AT,)), "list": Said((value, "b"), (AT,)), "items": [Said(value), Said("c")]})
    assert read_back(text) == {"key": value, "list": [value, "b"], "items": [value, "c"]}


@given(key=TEXTS)
def test_any_key_is_read_back(key: str) -> None:
    assert read_back(yaml_text({"top": {key: Said("x")}})) == {"top": {key: "x"}}


def test_comments_name_lines_and_files() -> None:
    places = (AT, SourceLine("nginx.conf", 9), SourceLine("tls.conf", 2), AT)
    text = yaml_text({"a": Said(1, places, "note"), "b": Said("x")}, "Heading\n\nmore")
    assert text == "# Heading\n#\n# more\n\na: 1  # nginx.conf:7, 9, tls.conf:2; note\n\nb: x\n"


def test_nested_settings_and_lists_of_them() -> None:
    text = yaml_text(
        {
            "apps": {
                "a": {
                    "routes": [Said({"path": Said("/", (AT,)), "limits": {"body": Said("1M")}})],
                    "x": Said(value=True),
                }
            }
        }
    )
    assert yaml.safe_load(text) == {"apps": {"a": {"routes": [{"path": "/", "limits": {"body": "1M"}}], "x": True}}}
    assert "      - path: /  # nginx.conf:7\n        limits:\n          body: 1M\n" in text


def test_a_comment_cannot_end_its_line() -> None:
    assert yaml_text({"a": Said(1, (SourceLine("x\ny", 1),))}).count("\n") == 1


def test_long_lists_have_a_line_each() -> None:
    networks = tuple(f"10.{number}.0.0/16" for number in range(20))
    text = yaml_text({"allow": Said(networks, (AT,))})
    assert read_back(text) == {"allow": list(networks)}
    assert text.splitlines()[0] == "allow:  # nginx.conf:7"
