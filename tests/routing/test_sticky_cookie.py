"""Tokens, the fields that set them, and what is taken from a request for a balancer (F1)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lb.http.head import Limits, RequestHead
from lb.http.scan import scan_request
from lb.routing.environment import Environment
from lb.routing.policy import Policy
from lb.routing.request_key import HashKey, StickyKey
from lb.routing.sticky_cookie import StickyCookie, sticky_secret
from tests.routing.instances import make

SECRET = "a secret of this test"
COOKIE = StickyCookie(b"lb_instance", sticky_secret(SECRET), b"shop\0production")
POLICY = Policy(balance="sticky", cookie=COOKIE)
TOKENS = """
from lb.routing.sticky_cookie import StickyCookie, sticky_secret
for secret in (None, "a secret of this test"):
    print(StickyCookie(b"lb_instance", sticky_secret(secret), b"shop\\0production").token("10.0.0.1:80").decode())
"""


def request(*lines: bytes) -> RequestHead:
    head = scan_request(
        b"GET /x?y HTTP/1.1\r\nHost: a\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n", Limits()
    )
    assert head is not None
    return head


def test_tokens_differ_by_all_that_they_stand_for() -> None:
    # spec: F1
    other_scope = StickyCookie(b"lb_instance", sticky_secret(SECRET), b"shop\0staging")
    other_secret = StickyCookie(b"lb_instance", sticky_secret(SECRET + "!"), b"shop\0production")
    tokens = [one.token(key) for one in (COOKIE, other_scope, other_secret) for key in ("10.0.0.1:80", "10.0.0.2:80")]
    assert len(set(tokens)) == 6
    assert all(re.fullmatch(rb"[0-9a-f]{32}", token) for token in tokens)  # no part of an address


def test_a_token_is_the_same_after_a_restart() -> None:
    # spec: F1
    def fresh() -> str:
        return subprocess.run([sys.executable, "-c", TOKENS], check=True, capture_output=True, text=True).stdout

    told = fresh()
    assert told.split()[1].encode() == COOKIE.token("10.0.0.1:80")
    machine = Path("/etc/machine-id")
    if machine.is_file() and machine.stat().st_size:
        assert told == fresh()


def test_a_cookie_is_set_for_who_has_none_or_a_wrong_one() -> None:
    # spec: F1
    instance = make(1)[0]
    Environment("shop", "production", [instance], POLICY)
    kept = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\n"
    assert COOKIE.put(kept, instance, instance.token, secure=False) == kept
    attributes = b"Set-Cookie: lb_instance=%b; Path=/; HttpOnly; SameSite=Lax" % instance.token
    for held in (None, b"", b"wrong"):
        assert COOKIE.put(kept, instance, held, secure=False) == kept + attributes + b"\r\nCache-Control: private\r\n"
        secure = COOKIE.put(kept, instance, held, secure=True)
        assert secure == kept + attributes + b"; Secure\r\nCache-Control: private\r\n"


def test_what_the_app_sets_under_its_name_is_dropped() -> None:
    instance = make(1)[0]
    Environment("shop", "production", [instance], POLICY)
    kept = b"HTTP/1.1 200 OK\r\nset-cookie:lb_instance=x; Path=/\r\nA: b\r\nSet-Cookie: lb_instance2=y\r\n"
    assert COOKIE.put(kept, instance, instance.token, secure=False) == (
        b"HTTP/1.1 200 OK\r\nA: b\r\nSet-Cookie: lb_instance2=y\r\n"
    )


COOKIES = {
    "alone": ((b"Cookie: lb_instance=t",), b"t", ()),
    "first": ((b"Cookie: lb_instance=t; a=b",), b"t", (b"Cookie: a=b",)),
    "last": ((b"Cookie: a=b; lb_instance=t",), b"t", (b"Cookie: a=b",)),
    "between": ((b"Cookie: a=b; lb_instance=t; c=d",), b"t", (b"Cookie: a=b; c=d",)),
    "without blanks": ((b"cookie:a=b;lb_instance=t;c=d",), b"t", (b"cookie: a=b;c=d",)),
    "twice": ((b"Cookie: lb_instance=t; a=b; lb_instance=u",), b"t", (b"Cookie: a=b",)),
    "in two fields": ((b"Cookie: a=b", b"Cookie: lb_instance=t"), b"t", (b"Cookie: a=b",)),
    "not there": ((b"Cookie: a=b; xlb_instance=t; lb_instance2=u; lb_instance",), None, None),
    "no cookies": ((b"X: lb_instance=t",), None, None),
    "empty": ((b"Cookie: lb_instance=",), b"", ()),
}


@pytest.mark.parametrize("case", COOKIES)
def test_the_cookie_is_read_and_does_not_go_on(case: str) -> None:
    # spec: F1
    lines, token, left = COOKIES[case]
    head = request(b"Accept: text/html", *lines, b"User-Agent: u")
    before = head.kept
    assert StickyKey(b"lb_instance")(head, b"1.2.3.4") == token
    assert head.kept == before  # the same object may be the head of the next request
    rest = b"".join(line + b"\r\n" for line in (lines if left is None else left))
    assert COOKIE.taken_from(before) == before.replace(b"".join(line + b"\r\n" for line in lines), rest)


KEYS = [
    (HashKey("client_address"), b"1.2.3.4"),
    (HashKey("uri"), b"/x?y"),
    (HashKey("header", b"x-user"), b"ann"),
    (HashKey("header", b"host"), b"a"),
    (HashKey("header", b"x-none"), b"1.2.3.4"),
    (HashKey("cookie", b"session"), b"s"),
    (HashKey("cookie", b"none"), b"1.2.3.4"),
]


@pytest.mark.parametrize(("key", "found"), KEYS)
def test_what_is_hashed(key: HashKey, found: bytes) -> None:
    # spec: F1
    head = request(b"X-User2: no", b"x-USER:  ann ", b"X-User: second", b"Cookie: a=b; session=s")
    before = head.kept
    assert key(head, b"1.2.3.4") == found
    assert head.kept == before
