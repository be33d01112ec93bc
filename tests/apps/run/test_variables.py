"""What an app finds in its environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from lb.apps.project.start import Serving, StartPlan
from lb.apps.run.variables import AppPlaces, environment, is_reserved, name_problem, value_problem, workers
from tests.apps.run.making import order

PLACES = AppPlaces("/home/leanengine", "/tmp", 21003)
E1 = ("APP_ID", "APP_KEY", "APP_MASTER_KEY", "APP_ENV", "APP_PORT", "API_SERVER", "APP_GROUP", "REGION", "VERSION_TAG")
E2 = ("AVAILABLE_CPUS", "APP_INSTANCE", "APP_HOOK_KEY")


# spec: E1
def test_all_of_the_platform_s_variables_are_there_under_both_names(tmp_path: Path) -> None:
    found = environment(order(tmp_path, "x"), PLACES)
    for name in (*E1, *E2):
        assert found[f"LEANCLOUD_{name}"] == found[f"LC_{name}"]
    assert found["LEANCLOUD_APP_ENV"] == "production"
    assert found["LEANCLOUD_APP_PORT"] == found["PORT"] == "21003"
    assert found["LEANCLOUD_API_SERVER"] == ""
    assert found["LEANCLOUD_VERSION_TAG"] == "20261130-091655"
    assert found["LEANCLOUD_APP_INSTANCE"] == "web1"


# spec: T1
def test_the_time_zone_is_the_region_s(tmp_path: Path) -> None:
    assert environment(order(tmp_path, "x"), PLACES)["TZ"] == "Asia/Shanghai"


# spec: E3
def test_custom_variables_stand_beside_and_override_only_what_is_a_default(tmp_path: Path) -> None:
    custom = {
        "TZ": "UTC",
        "LC_ALL": "C",
        "LEANCLOUD_APP_ID": "x",
        "LC_APP_ID": "x",
        "PORT": "1",
        "HOME": "/",
        "LB_INSTANCE": "x",
        "A": "é\n=",
    }
    found = environment(order(tmp_path, "x", variables=custom), PLACES, mark="m")
    assert (found["TZ"], found["LC_ALL"], found["A"]) == ("UTC", "C", "é\n=")
    assert found["LEANCLOUD_APP_ID"] == found["LC_APP_ID"] == "id-1"
    assert (found["PORT"], found["HOME"], found["LB_INSTANCE"]) == ("21003", "/home/leanengine", "m")


# spec: E3
@pytest.mark.parametrize("name", ["1A", "", "A-B", "A B", "_A", "é", "A=B", "A\n"])
def test_names_that_are_none(name: str) -> None:
    assert "is not a name for a variable" in name_problem(name)


# spec: E3
@pytest.mark.parametrize("name", ["LEANCLOUD_X", "LC_APP_ID", "LC_REGION", "PORT", "HOME", "LB_INSTANCE", "TMPDIR"])
def test_names_of_the_platform(name: str) -> None:
    assert name_problem(name) == f"{name} is set by the platform and cannot be overridden."


@pytest.mark.parametrize("name", ["A", "a1_", "LC_ALL", "TZ", "DATABASE_URL", "WEB_CONCURRENCY"])
def test_names_that_may_be_set(name: str) -> None:
    assert name_problem(name) == ""
    assert not is_reserved(name)


def test_a_value_with_a_nul_is_refused() -> None:
    assert value_problem("A", "x\0y") == "A has a NUL in its value, which no environment can hold."
    assert value_problem("A", "x\ny") == ""


@pytest.mark.parametrize(
    ("cpus", "memory", "count"),
    [(1, 512 << 20, 2), (1, 2048 << 20, 3), (0.5, 256 << 20, 1), (2, None, 5), (1, 1 << 20, 1)],
)
def test_web_concurrency(cpus: float, memory: int | None, count: int) -> None:
    assert workers(cpus, memory) == count


def test_an_asgi_app_is_one_process_unless_it_is_asked_for(tmp_path: Path) -> None:
    plan = StartPlan(Serving.ASGI, module="asgi")
    assert environment(order(tmp_path, plan, cpus=2.0), PLACES)["WEB_CONCURRENCY"] == "1"
    assert environment(order(tmp_path, plan, variables={"WEB_CONCURRENCY": "4"}), PLACES)["WEB_CONCURRENCY"] == "4"
