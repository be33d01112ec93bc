"""Rules across the settings of one environment: its instances, their balancing, their health checks.

They have the same form as those in rules.py, which runs them.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from lb.config.engine import DeploySettings
from lb.config.model import EnvironmentSettings, InstanceAddress, ListenAddress
from lb.config.problems import Problem, dotted, quoted
from lb.config.rule_context import EVERY_ADDRESS, RuleContext
from lb.config.suggest import all_of
from lb.config.units import show_duration

_ONLY_WITH = {"hash_on": "consistent_hash", "sticky_cookie": "sticky", "sticky_secret": "sticky"}


def _balancing_is_used(scene: RuleContext) -> Iterator[Problem]:
    for path, environment in scene.environments():
        for key, balance in _ONLY_WITH.items():
            used = key not in environment.model_fields_set or environment.balance == balance
            if not used and ("balance" not in scene.refused.get(path, ())):
                message = f"{key} is not used: balance is {environment.balance}"
                yield scene.origin.key_problem((*path, key), message, f"write balance: {balance}", "warning")


def _instances_are_distinct(scene: RuleContext) -> Iterator[Problem]:
    for path, environment in scene.environments():
        seen: dict[tuple[str, int, str], int] = {}
        for index, instance in enumerate(environment.instances):
            here = (*path, "instances", index)
            first = seen.setdefault((instance.host, instance.port, instance.path), index)
            if first != index:
                where = scene.origin.where((*path, "instances", first))
                message = f"the instance {quoted(instance.text)} appears twice in {dotted(path)}: here and {where}"
                yield scene.origin.problem(here, message, "remove one of the two")


def _sockets_are_found_from_anywhere(scene: RuleContext) -> Iterator[Problem]:
    for path, environment in scene.environments():
        for index, instance in enumerate(environment.instances):
            if instance.path and not instance.path.startswith("/"):
                message = f"{quoted(instance.text)} is relative to the directory in which lb is started"
                hint = f"write the whole path, such as unix:/run/{instance.path.rpartition('/')[2]}"
                yield scene.origin.problem((*path, "instances", index), message, hint, "warning")


def _instances_are_not_listeners(scene: RuleContext) -> Iterator[Problem]:
    listeners = list(scene.listeners())
    for path, environment in scene.environments():
        for index, instance in enumerate(environment.instances):
            for listener_path, listener in listeners:
                if _leads_back(instance, listener):
                    where = f"{scene.origin.name(listener_path)} {scene.origin.where(listener_path)}".lstrip()
                    message = f"{quoted(instance.text)} is an address of lb itself ({where}): requests would loop"
                    hint = "write the address that the app listens on"
                    yield scene.origin.problem((*path, "instances", index), message, hint)
                    break


def _leads_back(instance: InstanceAddress, listener: ListenAddress) -> bool:
    """Whether connecting to `instance` reaches `listener`, as far as this is known without asking the system."""
    if instance.path or instance.port != listener.port:
        return False
    if listener.host in EVERY_ADDRESS:
        return _is_this_machine(instance.host)
    return listener.host == instance.host or (instance.host == "localhost" and _is_this_machine(listener.host))


def _health_ports_are_possible(scene: RuleContext) -> Iterator[Problem]:
    for path, environment in scene.environments():
        if environment.health_port is None:
            continue
        for instance in environment.instances:
            if instance.path:
                message = f"{quoted(instance.text)} is a Unix socket: health_port cannot apply to it"
                hint = "remove health_port, or put the instances with ports into an app of their own"
                yield scene.origin.problem((*path, "health_port"), message, hint)
                break


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host in EVERY_ADDRESS:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _checks_are_made(scene: RuleContext) -> Iterator[Problem]:
    for path, environment in scene.environments():
        settings = (
            (key, field.default) for key, field in EnvironmentSettings.model_fields.items() if key.startswith("health_")
        )
        # A key with its default value does not count.
        unused = [key for key, default in settings if getattr(environment, key) != default and key != "health_checks"]
        if environment.health_checks is False and unused:
            message = f"health_checks is off, so {all_of(unused)} {'is' if len(unused) == 1 else 'are'} not used"
            yield scene.origin.key_problem((*path, "health_checks"), message, "remove one or the other", "warning")


def _checks_end_before_the_next(scene: RuleContext) -> Iterator[Problem]:
    for path, environment in scene.environments():
        timeout, interval = environment.health_timeout, environment.health_interval
        if environment.is_checked and "health_timeout" in environment.model_fields_set and timeout > interval:
            figures = f"health_timeout ({show_duration(timeout)}) is longer than health_interval"
            message = f"{figures} ({show_duration(interval)}): an instance that does not answer is checked less often"
            hint = "lower it, or raise health_interval"
            yield scene.origin.problem((*path, "health_timeout"), message, hint, "warning")


def _instances_or_deploys(scene: RuleContext) -> Iterator[Problem]:
    for path, environment in scene.environments():
        if environment.deploy and environment.instances:
            message = f"{dotted(path)} has both instances and deploy: the engine knows where deployed instances are"
            yield scene.origin.key_problem((*path, "deploy"), message, "remove one of the two")


def _deploy_settings_are_used(scene: RuleContext) -> Iterator[Problem]:
    for path, environment in scene.environments():
        unused = [key for key in DeploySettings.model_fields if key != "deploy" and key in environment.model_fields_set]
        if unused and not environment.deploy and "deploy" not in scene.refused.get(path, ()):
            verb = "is" if len(unused) == 1 else "are"
            message = f"{all_of(unused)} {verb} not used: the engine runs only what has deploy: true"
            yield scene.origin.key_problem((*path, unused[0]), message, "add deploy: true, or remove it", "warning")
        if environment.deploy and environment.health_port is not None:
            message = "health_port is not possible with deploy: the engine decides where instances listen"
            yield scene.origin.key_problem((*path, "health_port"), message, "remove health_port")
        if environment.deploy and environment.sleep is None:
            for key in ("daily_limit", "wake_timeout", "no_wake"):
                if key in environment.model_fields_set:
                    message = f"{key} is not used: sleep is off"
                    yield scene.origin.key_problem((*path, key), message, "add sleep: 30m, or remove it", "warning")


ENVIRONMENT_RULES = (
    _instances_or_deploys,
    _deploy_settings_are_used,
    _balancing_is_used,
    _instances_are_distinct,
    _sockets_are_found_from_anywhere,
    _instances_are_not_listeners,
    _health_ports_are_possible,
    _checks_are_made,
    _checks_end_before_the_next,
)
