"""`${NAME}` and `${NAME:-default}` inside a value → the value of an environment variable.

As in a shell, the default replaces a variable that is unset or empty. `$$` before `{` writes a literal `${`. This file
knows one text and the environment; the text is interpreted later, so a variable can never add keys or lines.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping

from lb.config.problems import quoted

# A literal, a whole reference, or the start of a malformed one.
_REFERENCE = re.compile(
    r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^{}]*))?\}|\$\{(?P<rest>[^}]*)\}?"
)

Learn = Callable[[str, str], None]  # a variable's name and its value
Report = Callable[[str, str, str], None]  # the reference as written, message, hint


def has_reference(text: str) -> bool:
    return "${" in text


def expand(text: str, environ: Mapping[str, str], report: Report, learn: Learn) -> str | None:
    """`text` with its references replaced; None if one cannot be replaced, each of which is passed to `report`.

    `learn` gets the value of each variable.
    """
    failed = False

    def value_of(found: re.Match[str]) -> str:
        nonlocal failed
        written: str = found[0]
        name: str | None = found["name"]
        default: str | None = found["default"]
        if written == "$${":
            return "${"
        if name is None:
            failed = True
            report(
                written,
                f"{quoted(written)} is not a variable",
                "write ${NAME} or ${NAME:-default}; $${ is a literal ${",
            )
            return ""
        value = environ.get(name)
        if value is not None:
            value = value.strip()  # a line of an env file may have blanks around it, or a Windows line end
        if value is None and default is None:
            failed = True
            report(written, f"the environment variable {name} is not set", _hint(name, environ))
        if value:
            learn(name, value)
        return value or default or ""

    expanded = _REFERENCE.sub(value_of, text)
    return None if failed else expanded


def _hint(name: str, environ: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(name, environ, n=1, cutoff=0.8)
    return f"did you mean ${{{near[0]}}}?" if near else f"set it, or give a default: ${{{name}:-value}}"
