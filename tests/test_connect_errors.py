"""Every errno of connecting has a true cause."""

from __future__ import annotations

import errno

import pytest

from lb.connect_errors import connecting_cause, connecting_detail, looks_like_tls
from lb.errors import CAUSES

OF_CONNECTING = {
    errno.ECONNREFUSED: "connection_refused",
    errno.ECONNRESET: "connection_terminated",
    errno.ETIMEDOUT: "connection_timeout",
    errno.EHOSTUNREACH: "destination_ip_unroutable",
    errno.ENETUNREACH: "destination_ip_unroutable",
    errno.EACCES: "connection_not_permitted",
    errno.EPERM: "connection_not_permitted",
    errno.ENOENT: "socket_not_found",
    errno.ENOTDIR: "socket_not_found",
    errno.ENOTSOCK: "not_a_socket",
    errno.EPROTOTYPE: "not_a_socket",
    errno.EADDRNOTAVAIL: "local_resources_unavailable",
    errno.ENOBUFS: "local_resources_unavailable",
    errno.ENOMEM: "local_resources_unavailable",
    errno.EINVAL: "connection_failed",
}


@pytest.mark.parametrize("error", OF_CONNECTING)
def test_the_cause_of_an_errno(error: int) -> None:
    # spec: E3
    assert connecting_cause(error) == OF_CONNECTING[error]


def test_only_a_refusal_is_called_one() -> None:
    # spec: E3
    assert [error for error in errno.errorcode if connecting_cause(error) == "connection_refused"] == [
        errno.ECONNREFUSED
    ]


def test_what_is_our_fault_is_not_put_on_the_app() -> None:
    # spec: E3
    for error in (errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM):
        cause = CAUSES[connecting_cause(error)]
        assert cause.ours
        assert cause.status == 503
        assert "This server" in cause.sentence
    assert not any(CAUSES[connecting_cause(error)].ours for error in (errno.ECONNREFUSED, errno.ENOENT, errno.EACCES))


def test_what_the_code_does_not_say_is_in_the_detail() -> None:
    # spec: E1
    assert connecting_detail("connection_failed", errno.EINVAL) == "invalid argument"
    assert connecting_detail("local_resources_unavailable", errno.ENOMEM) == "cannot allocate memory"
    assert connecting_detail("connection_refused", errno.ECONNREFUSED) == ""


@pytest.mark.parametrize(
    ("data", "is_tls"),
    [
        (b"\x15\x03\x01\x00\x02\x02\x46", True),
        (b"\x15\x03\x03", True),
        (b"\x16\x03\x01\x02\x00\x01", True),
        (b"\x16\x03\x05", False),
        (b"\x15\x02\x01", False),
        (b"\x17\x03\x03", False),
        (b"\x15\x03", False),
        (b"HTTP/1.1 200 OK", False),
        (b"", False),
    ],
)
def test_what_looks_like_tls(data: bytes, is_tls: bool) -> None:
    # spec: E3
    assert looks_like_tls(data) is is_tls
