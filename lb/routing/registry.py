"""The live instances and environments of a worker, by name: what outlives snapshots.

A new configuration reuses the instances that it shares with the old one: with their pools, failures and balance. It is
applied in two steps: a `RegistryPlan` says which environments and instances there will be, and may be made separately,
in another thread; `commit` applies it. Until then nothing live has changed, and a plan may be dropped.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass

from lb.config.balancing import statuses
from lb.config.instance_tls import InstanceTlsSettings
from lb.config.model import EnvironmentSettings as EnvironmentConfig
from lb.config.model import InstanceAddress
from lb.config.plan import EnvironmentPlan
from lb.routing.deployed_member import DeployedMember
from lb.routing.deployment import DeployedEnvironment, WakeAsked
from lb.routing.environment import Environment, Observer
from lb.routing.health_table import HealthTable
from lb.routing.instance import Instance
from lb.routing.instance_tls import InstanceTls, TlsClient
from lb.routing.members import HealthWatch, Member, instances_of
from lb.routing.outlier import Unhealthy
from lb.routing.policy import Policy
from lb.routing.request_key import HashKey
from lb.routing.sticky_cookie import StickyCookie, sticky_secret


class Registry:
    """Environments by app and name, and their members; `watch` applies what `table` says to them."""

    __slots__ = ("environments", "members", "observer", "table", "tls_contexts", "wake_asked", "watch")

    def __init__(self, table: HealthTable | None = None) -> None:
        self.table = table or HealthTable(1)
        self.environments: dict[tuple[str, str], Environment] = {}
        self.members: dict[Environment, list[Member]] = {}
        self.tls_contexts: dict[TlsClient, ssl.SSLContext] = {}
        self.watch = HealthWatch(self.table)
        self.observer: Observer | None = None
        self.wake_asked: WakeAsked | None = None

    def observe(self, observer: Observer) -> None:
        """From now on, call `observer` when an instance begins to fail, and when it works again."""
        self.observer = observer
        for environment in self.environments.values():
            environment.observe(observer)

    def on_wake_asked(self, wake_asked: WakeAsked) -> None:
        """Tell this one from now on when a request waits for an environment that sleeps."""
        self.wake_asked = wake_asked
        for environment in self.environments.values():
            if environment.deployment is not None:
                environment.deployment.on_wanted = wake_asked

    def plan(self) -> RegistryPlan:
        """A new plan, still empty."""
        return RegistryPlan(self)


@dataclass(frozen=True, slots=True)
class Gone:
    """What a commit removed: exchanges that hold one of these go on with it, and nothing new begins there."""

    instances: Sequence[Instance]
    environments: Sequence[Environment]


class RegistryPlan:
    """The environments of one configuration, with the members that each will have."""

    __slots__ = ("_generation", "_planned", "_registry", "_tls_contexts")

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._generation = registry.table.generation
        self._planned: dict[tuple[str, str], _Planned] = {}
        self._tls_contexts: dict[TlsClient, ssl.SSLContext] = {}

    def environment(self, wanted: EnvironmentPlan, limit: int) -> Environment:
        """The environment, which will have the instances that are `wanted`, each serving at most `limit` requests (0:
        any number). Watched instances have their rows in the table already. Raises OSError for files of TLS that cannot
        be used.
        """
        registry = self._registry
        app, name, config = wanted.app, wanted.name, wanted.settings
        policy = make_policy(app, name, config)
        environment = registry.environments.get((app, name)) or Environment(app, name, [], policy)
        known = {member.text: member for member in registry.members.get(environment, ())}
        is_checked = config.is_checked
        planned = _Planned(environment, policy, [], [], limit, is_checked, config)
        for instance in wanted.instances:
            address = instance.address
            rows = tuple(map(registry.table.find, instance.rows))
            member = known.get(address.text)
            tls = self._tls(config.instance_tls, address) if address.tls else None
            if member is not None and tls is not None and not tls.is_like(member.tls):
                member = None  # connections that were secured in another way must not serve
            if member is None:
                if instance.is_deployed:
                    member = DeployedMember(address.text, DeployedEnvironment(app, name))
                else:
                    member = Member(address.text, "" if address.is_name else address.host, address.port, address.path)
                    member.tls = tls
                    member.both_families = address.host == "localhost"
                member.follow(rows, is_checked, limit, registry.table)
            planned.members.append(member)
            planned.rows.append(rows)
        self._planned[app, name] = planned
        return environment

    def _tls(self, settings: InstanceTlsSettings, address: InstanceAddress) -> InstanceTls:
        client = TlsClient.of(settings.verify, settings.ca, settings.cert, settings.key)
        contexts = self._tls_contexts
        if client not in contexts:
            contexts[client] = self._registry.tls_contexts.get(client) or client.context()
        return InstanceTls(client, contexts[client], settings.server_name or address.host)

    def commit(self) -> Gone:
        """Apply it: from here on the registry holds what was planned, and nothing else."""
        registry = self._registry
        before = registry.environments
        had = [instance for environment in before.values() for instance in environment.instances]
        registry.environments = {key: planned.environment for key, planned in self._planned.items()}
        registry.tls_contexts = self._tls_contexts
        registry.members = {planned.environment: planned.members for planned in self._planned.values()}
        environments_gone = [environment for key, environment in before.items() if key not in self._planned]
        for environment in environments_gone:
            environment.end()
        now = time.monotonic()
        for planned in self._planned.values():
            planned.apply(registry, now)
            if registry.observer is not None:
                planned.environment.observe(registry.observer)
        registry.watch.follow(registry.members, self._generation)
        kept = {id(instance) for planned in self._planned.values() for instance in planned.environment.instances}
        return Gone([instance for instance in had if id(instance) not in kept], environments_gone)


@dataclass(frozen=True, slots=True)
class _Planned:
    """One environment, and its planned state; only `apply` touches what is live."""

    environment: Environment
    policy: Policy
    members: list[Member]
    rows: list[tuple[int, ...]]
    limit: int
    checked: bool
    config: EnvironmentConfig

    def apply(self, registry: Registry, now: float) -> None:
        deployment = None
        for member, rows in zip(self.members, self.rows, strict=True):
            member.follow(rows, self.checked, self.limit, registry.table)
            if isinstance(member, DeployedMember):
                deployment = member.deployment
                deployment.wake_timeout = self.config.wake_timeout
                deployment.quiet = frozenset(path.encode() for path in self.config.no_wake if self.config.sleep)
                deployment.on_wanted = registry.wake_asked
        self.environment.deploy(deployment)
        self.environment.follow(self.policy, instances_of(self.members), now)


def make_policy(app: str, name: str, config: EnvironmentConfig) -> Policy:
    """How the environment `name` of `app` chooses among its instances."""
    hash_on = cookie = unhealthy = None
    if config.balance == "consistent_hash":
        source, _, field = config.hash_on.partition(":")
        hash_on = HashKey(source, field.encode())
    elif config.balance == "sticky":
        scope = f"{app}\0{name}".encode()
        cookie = StickyCookie(config.sticky_cookie.encode(), sticky_secret(config.sticky_secret), scope)
    if config.unhealthy_latency is not None or config.unhealthy_status:
        unhealthy = Unhealthy(config.unhealthy_latency or 0.0, statuses(config.unhealthy_status))
    return Policy(
        balance=config.balance,
        hash_on=hash_on,
        cookie=cookie,
        max_fails=config.max_fails,
        fail_duration=config.fail_duration,
        unhealthy=unhealthy,
        slow_start=config.slow_start or 0.0,
        retries=config.retry_budget,
        keep_alive=config.keep_alive and config.send_proxy is None,
        send_proxy=int(config.send_proxy[1:]) if config.send_proxy is not None else 0,
    )
