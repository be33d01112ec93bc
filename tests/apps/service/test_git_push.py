"""A push means a deploy of certain branches; a git key opens repositories alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from lb.apps.service.git_push import PushedBranch, hook_text, read_push, repository_of


def test_what_a_push_means() -> None:
    zero, one, two = "0" * 40, "1" * 40, "2" * 40
    lines = [f"{zero} {one} refs/heads/main\n", f"{one} {two} refs/heads/staging\n", f"{one} {zero} refs/heads/x\n"]
    assert read_push(lines) == [
        PushedBranch("main", one, "production"),
        PushedBranch("staging", two, "staging"),
        PushedBranch("x", "", ""),
    ]
    with pytest.raises(ValueError):
        read_push(["nonsense\n"])


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("git-receive-pack '/shop'", ("git-receive-pack", "shop")),
        ("git receive-pack 'shop.git'", ("git-receive-pack", "shop")),
        ("git-upload-pack '/shop'", ("git-upload-pack", "shop")),
        ("sh -c id", None),
        ("git-receive-pack '../../etc'", None),
        ("git-receive-pack '/a/b'", None),
        ("git-receive-pack '--upload-pack=id'", None),
        ("git-receive-pack '/shop'; id", None),
        ("git-receive-pack 'unclosed", None),
        ("", None),
    ],
)
def test_a_git_key_opens_repositories_alone(asked: str, answer: tuple[str, str] | None) -> None:
    assert repository_of(asked) == answer


def test_the_hook_survives_odd_names() -> None:
    assert "'/etc/my lb.yaml'" in hook_text("shop", Path("/etc/my lb.yaml"))
