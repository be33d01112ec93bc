"""Options of the whole test suite."""

from __future__ import annotations

import os

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine",
        choices=("compiled", "python"),
        default=None,
        help="the engine that front door processes of the end-to-end tests use (or LB_TEST_ENGINE)",
    )


def pytest_configure(config: pytest.Config) -> None:
    engine = config.getoption("--engine")
    if engine is not None:
        os.environ["LB_TEST_ENGINE"] = str(engine)
