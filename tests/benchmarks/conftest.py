"""The compiled programs and a running responder, once for all tests of the benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.backend import running_backend
from benchmarks.certificate import make_certificate
from benchmarks.load import Load
from benchmarks.peers.base import Setup
from benchmarks.programs import Programs, build
from tests.benchmarks.tools import need


@pytest.fixture(scope="package")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("benchmarks")


@pytest.fixture(scope="package")
def programs(directory: Path) -> Programs:
    need("cc")
    return build(directory)


@pytest.fixture(scope="package")
def instances(programs: Programs, directory: Path) -> Iterator[tuple[int, ...]]:
    with running_backend(programs, directory, 2) as ports:
        yield ports


@pytest.fixture(scope="package")
def load(programs: Programs, directory: Path) -> Load:
    return Load(programs, directory)


@pytest.fixture(scope="package")
def setup(instances: tuple[int, ...], directory: Path) -> Setup:
    return Setup(make_certificate(directory), instances)
