"""The live instances and environments of a worker, by name: what outlives snapshots.

A new configuration gets the instances that it shares with the old one as they are: their pools, failures and balance.
"""

from __future__ import annotations

import socket

from lb.config.model import Environment as EnvironmentConfig
from lb.config.model import InstanceAddress
from lb.routing.balancer import RoundRobin
from lb.routing.instance import Instance
from lb.routing.route import Environment


class Registry:
    """Instances by environment and address."""

    __slots__ = ("_environments",)

    def __init__(self) -> None:
        self._environments: dict[tuple[str, str], Environment] = {}

    def environment(self, app: str, name: str, config: EnvironmentConfig, limit: int) -> Environment:
        """The environment `name` of `app` with the instances of `config`, each serving at most `limit` requests (0:
        any number).
        """
        environment = self._environments.get((app, name))
        known = {instance.key: instance for instance in environment.instances} if environment is not None else {}
        instances = [known.get(address.text) or make_instance(address) for address in config.instances]
        for instance in instances:
            instance.limit = limit
        if environment is None:
            environment = Environment(app, name, instances, RoundRobin())
            self._environments[app, name] = environment
        else:
            environment.instances = instances
        return environment


def make_instance(address: InstanceAddress) -> Instance:
    """An instance at this address; a name is looked up once. Raises OSError when it has no address."""
    if address.path:
        return Instance(address.text, socket.AF_UNIX, address.path)
    family, _, _, _, where = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
    return Instance(address.text, int(family), (str(where[0]), int(where[1])))
