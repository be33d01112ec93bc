"""A missing package fails in continuous integration, and what the kernel forbids is skipped everywhere."""

from __future__ import annotations

import pytest

from tests.apps.run import needs


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)


def test_a_missing_package_fails_in_ci(missing: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="bwrap is not installed: apt-get install -y bubblewrap"):
        needs.need_sandbox()
    with pytest.raises(pytest.fail.Exception, match="pasta is not installed"):
        needs.need_private_network()


def test_a_missing_package_is_skipped_elsewhere(missing: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="bwrap is not installed"):
        needs.need_sandbox()


def test_closed_namespaces_are_skipped_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/there")
    monkeypatch.setattr(needs, "sandbox_problem", lambda: "bubblewrap cannot make a user namespace")
    with pytest.raises(pytest.skip.Exception, match="cannot make a user namespace"):
        needs.need_sandbox()
