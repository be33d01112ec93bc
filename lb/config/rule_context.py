"""The input of a rule: a whole, valid configuration, its places in the file, and what was rejected from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lb.config.model import Config, Domain, EnvironmentSettings, ListenAddress
from lb.config.problems import KeyPath, Origin
from lb.config.suggest import nearest

EVERY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  compared with, not bound


@dataclass(frozen=True, slots=True)
class RuleContext:
    """The configuration, where it is written, and what was rejected and therefore is not in it."""

    config: Config
    origin: Origin
    refused: Mapping[KeyPath, set[str | int]]  # section or list → its rejected keys or indexes

    def is_certain(self, *path: str) -> bool:
        """Whether the configuration has everything at `path` that the file has.

        It does not if something directly in it was rejected, or a key that may be a misspelling of it or its sections.
        """
        around = (path[:length] for length in range(len(path)))
        return path not in self.refused and not any(
            nearest(str(key), [path[len(section)]])
            for section in around
            if section != ("apps",)  # any name is possible for an app
            for key in self.refused.get(section, ())
        )

    def domains(self) -> Iterator[tuple[KeyPath, Domain]]:
        for name, app in self.config.apps.items():
            for index, domain in enumerate(app.domains):
                yield ("apps", name, "domains", index), domain

    def environments(self) -> Iterator[tuple[KeyPath, EnvironmentSettings]]:
        for name, app in self.config.apps.items():
            if app.production is not None:
                yield ("apps", name, "production"), app.production
            if app.staging is not None:
                yield ("apps", name, "staging"), app.staging

    def listeners(self) -> Iterator[tuple[KeyPath, ListenAddress]]:
        listen = self.config.listen
        for key, addresses in (("http", listen.http), ("https", listen.https)):
            for index, address in enumerate(addresses):
                yield ("listen", key, index), address
        if self.config.admin is not None:
            yield ("admin",), self.config.admin
