"""For which Host the admin server answers: a website whose name leads here must not read it."""

from __future__ import annotations

import socket

import pytest

from lb.admin.hosts import is_ours


# spec: M2
@pytest.mark.parametrize(
    ("host", "anywhere", "private"),
    [
        ("127.0.0.1:9000", True, True),
        ("[::1]:9000", True, True),
        ("203.0.113.9", True, True),
        ("localhost", True, True),
        ("LOCALHOST.:9000", True, True),
        ("lb.localhost", True, True),
        ("lb", False, True),
        ("lb.internal:9000", False, True),
        ("svc.cluster.svc", False, True),
        (socket.gethostname().partition(".")[0], False, True),
        ("evil.example.com", False, False),
        ("localhost.evil.com", False, False),
        ("127.0.0.1.evil.com", False, False),
        ("internal.evil.com", False, False),
        ("", False, False),
    ],
)
def test_addresses_and_names_that_nobody_else_can_have(host: str, anywhere: bool, private: bool) -> None:
    assert is_ours(host, private=False) is anywhere
    assert is_ours(host, private=True) is private
