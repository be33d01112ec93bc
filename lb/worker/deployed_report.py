"""A worker's report of deployed environments: what is open, served and waiting. Now and then, and nothing on the path
of a request.

An instance that the engine has retired is reported for as long as it serves something here.
"""

from __future__ import annotations

import os

from lb.routing.environment import Environment
from lb.routing.instance import Instance
from lb.routing.registry import Registry
from lb.telemetry.deployed_figures import DeployedPage, EnvironmentTotals, InstanceTotals, environment_key

EVERY = 0.25
"""Seconds between two reports: what waits, and whether a switch has arrived, is to be known soon."""


class DeployedReport:
    """What is in `registry`, whatever configuration it holds, goes to `page`."""

    def __init__(self, registry: Registry, page: DeployedPage) -> None:
        self._registry = registry
        self._page = page
        self._known: dict[Instance, tuple[str, str]] = {}  # those that serve, or still have something open
        self._served: dict[tuple[str, str], int] = {}  # by those that are not known any more
        page.store({}, os.getpid())

    def write(self) -> None:
        deployed = {
            (environment.app.decode(), environment.name.decode()): environment
            for environment in self._registry.environments.values()
            if environment.deployment is not None
        }
        if not deployed and not self._known:
            return
        current = {instance for environment in deployed.values() for instance in environment.instances}
        self._forget(current)
        for name, environment in deployed.items():
            self._known.update(dict.fromkeys(environment.instances, name))
        totals = {name: self._of(name, environment) for name, environment in deployed.items()}
        for instance, name in self._known.items():
            one = totals.setdefault(name, EnvironmentTotals())
            one.counted += instance.served
            before = one.instances.get(instance.identity, InstanceTotals())
            one.instances[instance.identity] = before + _of_instance(instance)
        self._page.store({environment_key(*name): one for name, one in totals.items()}, os.getpid())

    def _of(self, name: tuple[str, str], environment: Environment) -> EnvironmentTotals:
        deployment = environment.deployment
        if deployment is None:
            return EnvironmentTotals()
        counted = self._served.get(name, 0) - deployment.quiet_requests
        return EnvironmentTotals(deployment.outlook.generation, len(environment.waiting), counted)

    def _forget(self, current: set[Instance]) -> None:
        """What was retired, and has nothing open any more."""
        for instance, name in list(self._known.items()):
            if instance not in current and not instance.inflight:
                del self._known[instance]
                self._served[name] = self._served.get(name, 0) + instance.served


def _of_instance(instance: Instance) -> InstanceTotals:
    open_now = instance.inflight - instance.tunnels
    return InstanceTotals(open_now, instance.tunnels, instance.served, instance.seconds, instance.faults)
