"""The model → a JSON Schema of the file, for editors: it accepts "8K", a single value for a list, and "${PORT}".

This file knows JSON Schema, and what pydantic's schema lacks for YAML; keys and their meaning come from model.py.
"""

from __future__ import annotations

from typing import Any

from lb.config.fields import NOTHING
from lb.config.model import Config

_VARIABLE_REFERENCE = {"$ref": "#/$defs/Variable"}
_SCALARS = {"integer", "number", "boolean"}


def config_schema() -> dict[str, Any]:
    """The schema as a JSON document (draft 2020-12)."""
    schema = _tidied(Config.model_json_schema())
    schema["$defs"]["Variable"] = {
        "description": "A value that holds a variable: ${NAME} or ${NAME:-default}.",
        "type": "string",
        "pattern": r"\$\{[^}]*\}",
    }
    schema["properties"]["apps"]["additionalProperties"] = {"$ref": "#/$defs/App"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "lb configuration"}


def _tidied(part: Any) -> Any:
    """`part` without what is useless to an editor, and with a variable wherever not every text is valid."""
    if isinstance(part, list):
        return [_tidied(item) for item in part]
    if not isinstance(part, dict):
        return part
    if part == NOTHING:
        return part
    properties = part.get("properties")
    kept = {key: _tidied(item) for key, item in part.items() if key not in {"title", "properties"}}
    if isinstance(properties, dict):  # its keys are the file's, and one may be called "title"
        kept["properties"] = {key: _tidied(item) for key, item in properties.items()}
    if kept.get("default", ...) is None or isinstance(kept.get("default"), dict):
        del kept["default"]  # it cannot be written as a value, or the section's keys have their own
    if "anyOf" in kept:
        return _with_options(kept)
    is_narrow = kept.get("type") in _SCALARS or not {"enum", "const", "pattern"}.isdisjoint(kept)
    if not is_narrow:
        return kept
    about = {key: kept.pop(key) for key in ("default", "description") if key in kept}
    return {"anyOf": [kept, _VARIABLE_REFERENCE], **about}


def _with_options(part: dict[str, Any]) -> dict[str, Any]:
    """`part` with nested options flattened, each once, and null only if a key may have no value: to pydantic, null is
    an absent key.
    """
    options: list[Any] = []
    for option in part["anyOf"]:
        inner = option["anyOf"] if set(option) == {"anyOf"} else [option]
        options += [one for one in inner if one not in options and one != {"type": "null"}]
    options = [{"type": "null"} if option == NOTHING else option for option in options]
    rest = {key: item for key, item in part.items() if key != "anyOf"}
    return {**options[0], **rest} if len(options) == 1 else {"anyOf": options, **rest}
