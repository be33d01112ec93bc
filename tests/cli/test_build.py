"""What this `lb` is made of."""

from __future__ import annotations

import ssl
import sys

import pytest

from lb import __version__
from lb.cli import build
from lb.cli.build import describe_build


def test_it_is_this_process_that_is_described() -> None:
    found = describe_build()
    assert found["version"] == __version__
    assert found["python"].endswith(".".join(map(str, sys.version_info[:3])))
    assert found["openssl"] == ssl.OPENSSL_VERSION
    assert found["engine"] in ("compiled", "python")
    assert (found["engine"], found["transport"]) in (("compiled", "epoll"), ("python", "event loop"))
    assert list(found)[:3] == ["version", "engine", "loop"]


def test_an_openssl_that_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "reach", lambda: None)
    assert describe_build()["openssl_access"] == "none"
