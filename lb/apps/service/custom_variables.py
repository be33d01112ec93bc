"""The variables that an app's users set (E3), each environment its own: what `lb env` shows and changes.

They stand in `env.json`, which only the engine's user can read, and reach an instance through its environment alone.
A secret one is never shown again. This file knows names and values. It must not know when they take effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lb.apps.run.variables import name_problem, value_problem
from lb.apps.service.directory import StateFileError, read_state, write_state

_MASKED_FROM = 8  # characters of a value that logs do not show; a shorter one is in every second word


class VariableError(ValueError):
    """A variable cannot be set like this; the text says why. Exit code 2."""


@dataclass(frozen=True, slots=True)
class CustomVariable:
    """One of them."""

    value: str = field(repr=False)
    secret: bool = False


class CustomVariables:
    """Of one app."""

    def __init__(self, path: Path) -> None:
        """Raises StateFileError."""
        self._path = path
        self._all: dict[str, dict[str, CustomVariable]] = {}
        value = read_state(path) or {}
        try:
            for environment, variables in dict(value.get("environments", {})).items():
                self._all[environment] = {
                    str(name): CustomVariable(str(one["value"]), bool(one["secret"])) for name, one in variables.items()
                }
        except (KeyError, TypeError, ValueError, AttributeError):
            raise StateFileError(f"{path} is not one of the engine's state files. Restore it.") from None

    def of(self, environment: str) -> Mapping[str, CustomVariable]:
        return self._all.get(environment, {})

    def values(self, environment: str) -> dict[str, str]:
        """What instances get."""
        return {name: one.value for name, one in self.of(environment).items()}

    def masked(self) -> tuple[str, ...]:
        """Values that no log may show."""
        every = (one.value for variables in self._all.values() for one in variables.values())
        return tuple(value for value in every if len(value) >= _MASKED_FROM)

    def set(self, environment: str, values: Mapping[str, str], *, secret: bool = False) -> None:
        """Sets all of them, or none. One that is secret stays so. Raises VariableError and OSError."""
        for name, value in values.items():
            if problem := name_problem(name) or value_problem(name, value):
                raise VariableError(problem)
        old = self.of(environment)
        new = {
            name: CustomVariable(value, secret or (name in old and old[name].secret)) for name, value in values.items()
        }
        self._write(environment, {**old, **new})

    def unset(self, environment: str, names: Iterable[str]) -> None:
        """Raises VariableError where one is not set, and OSError."""
        left = dict(self.of(environment))
        for name in names:
            if left.pop(name, None) is None:
                known = ", ".join(sorted(self.of(environment))) or "none"
                raise VariableError(f"{name} is not set in {environment}. Variables that are: {known}.")
        self._write(environment, left)

    def _write(self, environment: str, variables: Mapping[str, CustomVariable]) -> None:
        every = {**self._all, environment: dict(sorted(variables.items()))}
        content = {
            name: {key: asdict(one) for key, one in variables.items()} for name, variables in every.items() if variables
        }
        write_state(self._path, {"version": 1, "environments": content})
        self._all = every
