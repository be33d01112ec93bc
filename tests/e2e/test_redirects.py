"""The redirect to HTTPS, alone and behind a CDN: clauses T2 and T3."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import get, message, post
from tests.e2e.harness.door import FrontDoor, configure, run_lb
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import echo
from tests.e2e.harness.secure import Secure
from tests.e2e.harness.waiting import wait_until_still


@pytest.mark.parametrize(
    ("method", "status"),
    [("GET", 301), ("HEAD", 301), ("POST", 308), ("PUT", 308), ("DELETE", 308), ("OPTIONS", 308), ("PATCH", 308)],
)
def test_force_https_redirects_by_method(secure: Secure, method: str, status: int) -> None:
    # spec: T2
    response = secure.door.ask(message(f"{method} /a/b%20c?x=1&y=%2F", host="forced.example.com"))
    assert response.status == status
    assert response.one("location").decode() == f"https://forced.example.com:{secure.door.https}/a/b%20c?x=1&y=%2F"


def test_a_redirect_of_all_there_is(secure: Secure) -> None:
    # spec: T2; RFC 9112 section 3.2.4: without a path, a URL stands for it
    response = secure.door.ask(message("OPTIONS *", host="forced.example.com"))
    assert response.status == 308
    assert response.one("location").decode() == f"https://forced.example.com:{secure.door.https}"


def test_a_redirect_does_not_wait_for_the_body_and_does_not_shift_what_follows(secure: Secure) -> None:
    # spec: T2; attack 5
    with secure.door.connect() as client:
        client.send(post("/first", get("/smuggled", host="shop.example.com"), host="forced.example.com"))
        client.send_quietly(get("/second"))
        assert client.response("POST").status == 308
        assert client.rest() == b""
    wait_until_still(lambda: len(secure.instance.seen), "what goes to the instance")
    assert b"/smuggled" not in secure.instance.seen


@pytest.mark.parametrize("host", ["FORCED.example.com", "forced.example.com:8080", "forced.example.com."])
def test_the_redirect_names_the_https_port_and_not_the_one_that_was_asked(secure: Secure, host: str) -> None:
    # spec: T2
    location = secure.door.ask(get("/", host=host)).one("location").decode().lower()
    assert location.rstrip("/").replace("com.:", "com:") == f"https://forced.example.com:{secure.door.https}"


@pytest.mark.parametrize("line", ["OPTIONS *", "OPTIONS http://forced.example.com"])
def test_what_is_asked_of_the_server_is_redirected_to_the_server(secure: Secure, line: str) -> None:
    # spec: T2; RFC 9112 section 3.2.4
    response = secure.door.ask(message(line, host="forced.example.com"))
    assert (response.status, response.one("location")) == (308, b"https://forced.example.com:%d" % secure.door.https)


def test_over_https_there_is_no_redirect(secure: Secure) -> None:
    # spec: T2
    with secure.connect("forced.example.com") as client:
        assert client.ask(get(host="forced.example.com")).status == 200


def test_a_domain_without_force_https_is_not_redirected(secure: Secure) -> None:
    # spec: T2
    assert secure.door.ask(get()).status == 200


@pytest.mark.parametrize("target", ["//evil.example/x", "/\\evil.example", "/%0d%0aX:y", "/a//b/../c"])
def test_a_redirect_stays_on_its_host_and_in_one_line(secure: Secure, target: str) -> None:
    # spec: T2; attack 26
    response = secure.door.ask(get(target, host="forced.example.com"))
    assert response.status == 301
    assert response.one("location").decode() == f"https://forced.example.com:{secure.door.https}{target}"
    assert not response.has("x")


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("X-Forwarded-Proto: http", 301),
        ("X-Forwarded-Proto: https", 200),
        ("X-Other: 1", 200),
        ("X-Forwarded-Proto: HTTPS", 200),
        ("X-Forwarded-Proto: http, https", 200),  # of a CDN that appends, the last is its own
        ("X-Forwarded-Proto: https,http", 301),
        ("X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http", 301),
    ],
)
def test_the_trusted_cdn_decides_about_the_redirect(secure: Secure, said: str, status: int) -> None:
    # spec: T3
    assert secure.door.ask(get("/", said, host="cdn.example.com")).status == status


def test_what_a_client_claims_does_not_avert_the_redirect(secure: Secure) -> None:
    # spec: T3, H3
    assert secure.door.ask(get("/", "X-Forwarded-Proto: https", host="forced.example.com")).status == 301


def test_a_peer_that_is_not_trusted_cannot_avert_the_redirect(tmp_path: Path, authority: Authority) -> None:
    # spec: T3, H3
    with Instance(echo()) as instance:
        config = configure(
            instance.address,
            domains=({"name": "cdn.example.com", "force_https": True, "cdn": True},),
            listen={"http": "127.0.0.1:0", "https": "127.0.0.1:0"},
            trusted_proxies=["203.0.113.0/24"],
            tls=tls_config(authority.issue("cdn.example.com")),
        )
        with FrontDoor(config, tmp_path) as door:
            for line in ("X-Forwarded-Proto: https", "X_Forwarded_Proto: https", "Forwarded: proto=https", "X-A: b"):
                assert door.ask(get("/", line, host="cdn.example.com")).status == 301


def test_check_warns_of_force_https_behind_a_cdn(tmp_path: Path, authority: Authority) -> None:
    # spec: T3
    file = tmp_path / "lb.yaml"
    file.write_text(
        "listen: {http: 127.0.0.1:0, https: 127.0.0.1:0}\n"
        f"tls: {{certificates: [{json.dumps(authority.issue('a.example.com'))}]}}\n"
        "trusted_proxies: [203.0.113.0/24]\n"
        "apps:\n"
        "  shop:\n"
        "    domains: [{name: a.example.com, force_https: true, cdn: true}]\n"
        "    production: {instances: [127.0.0.1:3000]}\n"
    )
    done = run_lb("check", str(file))
    assert done.returncode == 0, done.stderr
    told = (done.stdout + done.stderr).lower()
    assert "warning" in told
    assert "force_https" in told
    assert "cdn" in told
