"""Fixtures of the end-to-end tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pytest

from tests.e2e.harness.certificates import Authority
from tests.e2e.harness.door import FrontDoor
from tests.e2e.harness.instance import Script
from tests.e2e.harness.secure import Secure, open_secure
from tests.e2e.harness.shared import SharedDoors, Stage


class OpenStage(Protocol):
    """Opens an app of the test's own on the shared front door, with `script` as its instance."""

    def __call__(self, script: Script) -> AbstractContextManager[Stage]: ...


@pytest.fixture(scope="session")
def shared_doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedDoors]:
    doors = SharedDoors(tmp_path_factory.mktemp("shared"))
    yield doors
    doors.close()


@pytest.fixture
def stage(shared_doors: SharedDoors) -> OpenStage:
    return shared_doors.stage


@pytest.fixture(scope="session")
def streaming_doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedDoors]:
    doors = SharedDoors(tmp_path_factory.mktemp("streaming"), "off")
    yield doors
    doors.close()


@pytest.fixture
def streaming(streaming_doors: SharedDoors) -> OpenStage:
    """As `stage`, for apps that get each request as it comes (`buffering: off`)."""
    return streaming_doors.stage


@pytest.fixture
def refusing(shared_doors: SharedDoors) -> tuple[FrontDoor, str]:
    """A front door and a host whose only instance refuses connections."""
    return shared_doors.refusing()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Secure]:
    with open_secure(tmp_path_factory.mktemp("secure"), authority) as opened:
        yield opened


class ShortPaths(Protocol):
    """Makes a directory whose name leaves room for a Unix socket's."""

    def __call__(self) -> Path: ...


@pytest.fixture(scope="session")
def short_paths() -> Iterator[ShortPaths]:
    made: list[Path] = []

    def make() -> Path:
        made.append(Path(tempfile.mkdtemp(prefix="lb-")))
        return made[-1]

    yield make
    for directory in made:
        shutil.rmtree(directory)


@pytest.fixture
def short_path(short_paths: ShortPaths) -> Path:
    return short_paths()
