"""Whether `limits.connections` fits the process's limit of open files, and what is said where it does not."""

from __future__ import annotations

import resource
from typing import Any

import pytest
import yaml

from lb.cli.descriptors import descriptor_lines, descriptor_warnings
from lb.config.load import Loaded, load_bytes

# spec: L5, R1


def _loaded(**top: Any) -> Loaded:
    apps = {"a": {"domains": ["a.example"], "production": {"instances": ["127.0.0.1:1"]}}}
    config = {"listen": {"http": ":80"}, "workers": 2, "apps": apps, **top}
    return load_bytes("lb.yaml", yaml.safe_dump(config).encode(), {})


@pytest.fixture
def descriptors(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The soft limit does not matter: workers raise it."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, request.param))


def _lines(loaded: Loaded) -> list[str]:
    return list(descriptor_lines(loaded.config.listen, 2, loaded.config.limits.connections))


@pytest.mark.parametrize("descriptors", [1024], indirect=True)
@pytest.mark.usefixtures("descriptors")
def test_too_few_for_what_the_file_says() -> None:
    loaded = _loaded(limits={"connections": 5000})
    [problem] = descriptor_warnings(loaded)
    assert (problem.level, problem.line) == ("warning", loaded.origin.place(("limits", "connections")).value.line + 1)
    assert "1024 descriptors" in problem.message
    assert "868 client connections in 2 workers, not 5000" in problem.message
    assert "LimitNOFILE" in problem.hint
    [line] = _lines(loaded)
    assert line.startswith("at most 868 client connections in 2 workers, not 5000 (limits.connections)")


@pytest.mark.parametrize("descriptors", [256], indirect=True)
@pytest.mark.usefixtures("descriptors")
def test_very_few_for_the_default() -> None:
    [problem] = descriptor_warnings(_loaded())
    assert "196 client connections in 2 workers (limits.connections is 20000)" in problem.message


@pytest.mark.parametrize("descriptors", [4096, 20_000], indirect=True)
@pytest.mark.usefixtures("descriptors")
def test_a_default_that_is_lowered_a_little_is_told_at_the_start_only() -> None:
    loaded = _loaded()
    assert descriptor_warnings(loaded) == []
    assert len(_lines(loaded)) == 1


@pytest.mark.parametrize("descriptors", [1 << 20, resource.RLIM_INFINITY], indirect=True)
@pytest.mark.usefixtures("descriptors")
def test_enough() -> None:
    for loaded in (_loaded(), _loaded(limits={"connections": 100_000})):
        assert descriptor_warnings(loaded) == []
        assert _lines(loaded) == []


@pytest.mark.parametrize("descriptors", [64], indirect=True)
@pytest.mark.usefixtures("descriptors")
def test_few_connections_need_few_descriptors() -> None:
    assert descriptor_warnings(_loaded(limits={"connections": 10})) == []
