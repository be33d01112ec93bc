"""Production or staging of an app: its instances, the balancer over them, and the exchanges that wait for one of them.

Environments live in the registry and outlast configurations. Knows no connection; time is passed in, in seconds of the
monotonic clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from lb.routing.balancers.balancer import Balancer
from lb.routing.budget import RetryBudget
from lb.routing.deployment import DeployedEnvironment
from lb.routing.instance import MOST_IDLE, Instance
from lb.routing.outlier import OutlierDetector
from lb.routing.policy import Policy
from lb.routing.request_key import RequestKey
from lb.routing.sticky_cookie import StickyCookie

Observer = Callable[["Environment", Instance], None]
"""Called when `failing` of an instance has changed."""


class Environment:
    """The state of an environment.

    `waiting` are the exchanges that wait for an instance, first come, first served; `wake_scheduled` says that they are
    about to try again; `key` extracts the balancer's key from a request, `cookie` makes clients sticky, `budget` bounds
    retries: each None if the policy has none. `keep_alive` says whether connections serve several requests, `retry_for`
    for how many seconds refused connections are tried again, `nameless` that its instances are configured by names that
    have no address; `observer` is called for instances that begin to fail, and for those that work again. `deployment`
    is the engine's state of it if it is deployed, else None; `quiet` says that some of its requests do not keep it
    awake.
    """

    __slots__ = (
        "app",
        "balancer",
        "budget",
        "cookie",
        "deployment",
        "instances",
        "keep_alive",
        "key",
        "name",
        "nameless",
        "observer",
        "passive",
        "policy",
        "quiet",
        "retry_for",
        "waiting",
        "wake_scheduled",
    )

    balancer: Balancer
    budget: RetryBudget | None
    cookie: StickyCookie | None
    key: RequestKey | None
    passive: OutlierDetector

    def __init__(self, app: str, name: str, instances: list[Instance], policy: Policy) -> None:
        self.app = app.encode()
        self.name = name.encode()
        self.instances: list[Instance] = []
        self.waiting: deque[Any] = deque()  # exchanges, of which this layer knows nothing
        self.wake_scheduled = self.nameless = False
        self.observer: Observer | None = None
        self.deployment: DeployedEnvironment | None = None
        self.quiet = False
        self.balancer = policy.balancer()
        self.budget = None
        self.keep_alive = True
        self.retry_for = 0.0
        self.policy = policy
        self.follow(policy, instances, 0.0)

    def follow(self, policy: Policy, instances: list[Instance], now: float) -> None:
        """Change to another policy and set of instances; those in both stay the same objects, and keep their state."""
        if policy.balance != self.policy.balance:
            self.balancer = policy.balancer()
        if policy.retries is None:
            self.budget = None
        elif self.budget is None:
            self.budget = RetryBudget(policy.retries)
        else:
            self.budget.share = policy.retries
        self.key = policy.key()
        self.cookie = policy.cookie
        self.keep_alive = policy.keep_alive
        self.retry_for = policy.retry_for
        self.passive = OutlierDetector(policy.max_fails, policy.fail_duration, policy.unhealthy)
        if policy != self.policy:
            self.policy = policy
            for instance in self.instances:
                self._equip(instance)
        self.change(instances, now)

    def change(self, instances: list[Instance], now: float) -> None:
        """Change to another set of instances; a new one starts slowly, unless all are new."""
        before = set(self.instances)
        for instance in instances:
            if instance not in before:
                self._equip(instance)
                if before:
                    instance.came_back(now)
        self.instances = instances
        self.nameless = not instances
        self._agree(now)

    def _agree(self, now: float) -> None:
        """Apply the checks: instances that pass serve; if none passes, those that at least answer (A1)."""
        passing = False
        for instance in self.instances:
            passing = passing or instance.passes
        for instance in self.instances:
            healthy = instance.passes or (not passing and instance.answers)
            if instance.healthy != healthy:
                instance.set_healthy(healthy, now)

    def deploy(self, deployment: DeployedEnvironment | None) -> None:
        """Go by what the engine says, or, for None, by the configuration alone."""
        self.deployment = deployment
        self.quiet = deployment is not None and bool(deployment.quiet)

    def end(self) -> None:
        """It is no longer in any configuration: nothing may serve for it."""
        self.instances = []

    def observe(self, observer: Observer) -> None:
        """From now on, call `observer` when an instance begins to fail, and when it works again."""
        self.observer = observer
        for instance in self.instances:
            self._watch(instance)

    def _watch(self, instance: Instance) -> None:
        if self.observer is not None:
            instance.observed_by(partial(self.observer, self))

    def _equip(self, instance: Instance) -> None:
        policy = self.policy
        self._watch(instance)
        token = b"" if policy.cookie is None else policy.cookie.token(instance.key)
        instance.equip(MOST_IDLE if policy.keep_alive else 0, policy.slow_start, token)

    def pick(self, tried: list[Instance] | None, key: bytes | None, now: float) -> Instance | None:
        """The next instance that may serve; if all are passed over for past failures, the one whose turn is nearest.
        None if there is none, or if one is worth waiting for (`is_full`).
        """
        instance = self.balancer.pick(self.instances, tried, key, now)
        if instance is None:
            instance = self._nearest(tried, now)
            if instance is None:
                return None
        elif instance.limit != 0 and instance.inflight >= instance.limit:
            return None
        if instance.down_until != 0.0:
            instance.tried(now)
        return instance

    def _nearest(self, tried: list[Instance] | None, now: float) -> Instance | None:
        nearest = None
        for other in self.instances:
            if other.healthy and (tried is None or other not in tried):
                if other.down_until <= now:
                    return None  # it is only full: better than one that failed
                if not other.is_full() and (nearest is None or other.down_until < nearest.down_until):
                    nearest = other
        return nearest

    def is_full(self, tried: list[Instance] | None) -> bool:
        """Whether only the limit on concurrent requests keeps an instance from being picked."""
        for other in self.instances:
            if other.healthy and other.is_full() and (tried is None or other not in tried):
                return True
        return False

    def shortage(self) -> str:
        """The cause code for having no instance that may serve."""
        return "dns_error" if self.nameless else "destination_unavailable"

    def may_wake(self) -> bool:
        """Whether waiting exchanges should be told to try again; they are not about to already."""
        if self.wake_scheduled or not self.waiting:
            return False
        self.wake_scheduled = True
        return True

    def woke(self) -> None:
        """The waiting exchanges are trying."""
        self.wake_scheduled = False

    def has_untried(self, tried: list[Instance] | None) -> bool:
        """Whether any instance is left to try, now or later."""
        for other in self.instances:  # noqa: SIM110  a generator could not be compiled
            if other.healthy and (tried is None or other not in tried):
                return True
        return False

    def failed(self, instance: Instance, now: float, cause: str = "") -> None:
        """An instance could not be reached, broke off, or did not answer: `cause` is the code for that."""
        self.passive.failed(instance, self.instances, now, cause)

    def answered(self, instance: Instance, status: int, seconds: float, now: float) -> None:
        """The head of a response arrived, `seconds` after the request was sent."""
        self.passive.answered(instance, self.instances, status, seconds, now)
