"""The live instances and environments of a worker, by name: what outlives snapshots.

A new configuration gets the instances that it shares with the old one as they are: their pools, failures and balance.
It is applied in two steps: a `Plan` says which environments and instances there will be, and may be made aside, in
another thread; `commit` makes it so. Until then nothing that is live has changed, and a plan may be forgotten.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass

from lb.config.model import Environment as EnvironmentConfig
from lb.config.model import InstanceAddress
from lb.routing.balancer import RoundRobin
from lb.routing.instance import Instance
from lb.routing.route import Environment


class Registry:
    """Environments by app and name."""

    __slots__ = ("environments",)

    def __init__(self) -> None:
        self.environments: dict[tuple[str, str], Environment] = {}

    def plan(self) -> Plan:
        """What is to become of it, still empty."""
        return Plan(self)


@dataclass(frozen=True, slots=True)
class Gone:
    """What a commit left out: exchanges that hold one of these go on with it, and nothing new begins there."""

    instances: Sequence[Instance]
    environments: Sequence[Environment]


class Plan:
    """The environments of one configuration, with the instances that each will have."""

    __slots__ = ("_planned", "_registry")

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._planned: dict[tuple[str, str], _Planned] = {}

    def environment(self, app: str, name: str, config: EnvironmentConfig, limit: int) -> Environment:
        """The environment `name` of `app`, which will have the instances of `config`, each serving at most `limit`
        requests (0: any number). Raises OSError when an instance's name has no address.
        """
        environment = self._registry.environments.get((app, name)) or Environment(app, name, [], RoundRobin())
        known = {instance.key: instance for instance in environment.instances}
        instances = [known.get(address.text) or make_instance(address) for address in config.instances]
        self._planned[app, name] = _Planned(environment, instances, limit)
        return environment

    def commit(self) -> Gone:
        """Make it so: from here on the registry holds what was planned, and nothing else."""
        before = self._registry.environments
        had = [instance for environment in before.values() for instance in environment.instances]
        self._registry.environments = {key: planned.environment for key, planned in self._planned.items()}
        environments_gone = [environment for key, environment in before.items() if key not in self._planned]
        for environment in environments_gone:
            environment.instances = []
        for planned in self._planned.values():
            planned.apply()
        kept = {id(instance) for planned in self._planned.values() for instance in planned.instances}
        return Gone([instance for instance in had if id(instance) not in kept], environments_gone)


@dataclass(frozen=True, slots=True)
class _Planned:
    """One environment, and what it will be; `apply` is all that touches what is live."""

    environment: Environment
    instances: list[Instance]
    limit: int

    def apply(self) -> None:
        for instance in self.instances:
            instance.limit = self.limit
        self.environment.instances = self.instances


def make_instance(address: InstanceAddress) -> Instance:
    """An instance at this address; a name is looked up once. Raises OSError when it has no address."""
    if address.path:
        return Instance(address.text, socket.AF_UNIX, address.path)
    family, _, _, _, where = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
    return Instance(address.text, int(family), (str(where[0]), int(where[1])))
