"""Redirects that lead a client in a circle: what counts as one, and when it is logged."""

from __future__ import annotations

import logging

import pytest

from lb.http.head import Limits, RequestHead, ResponseHead
from lb.http.scan import scan_request, scan_response
from lb.proxy.exchange.redirect_loops import RedirectLoops, leads_to_itself

KEY = (b"shop", b"production")


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (b"https://shop.example.com/cart?a=1", True),
        (b"HTTPS://SHOP.example.com/cart?a=1", True),
        (b"https://shop.example.com:443/cart?a=1", True),
        (b"/cart?a=1", True),
        (b"/cart", False),
        (b"//shop.example.com/cart?a=1", False),
        (b"http://shop.example.com/cart?a=1", False),
        (b"https://www.shop.example.com/cart?a=1", False),
        (b"https://shop.example.com:8443/cart?a=1", False),
        (b"https://shop.example.com/cart/?a=1", False),
        (b"", False),
    ],
)
def test_what_leads_to_itself(location: bytes, expected: bool) -> None:
    assert leads_to_itself(location, b"https", b"shop.example.com", b"/cart?a=1") is expected


def test_an_url_without_a_path_is_that_of_the_root() -> None:
    assert leads_to_itself(b"https://shop.example.com", b"https", b"shop.example.com:443", b"/")


def read(location: bytes) -> tuple[RequestHead, ResponseHead]:
    request = scan_request(b"GET /cart HTTP/1.1\r\nHost: shop.example.com\r\n\r\n", Limits())
    response = scan_response(
        b"HTTP/1.1 301 Moved\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n", Limits()
    )
    assert request is not None
    assert response is not None
    return request, response


def test_a_loop_is_said_once_with_its_cure(caplog: pytest.LogCaptureFixture) -> None:
    # spec: E3
    loops = RedirectLoops()
    head, response = read(b"https://shop.example.com/cart")
    with caplog.at_level(logging.WARNING, "lb.proxy"):
        for at in range(4):
            loops.look(KEY, b"https", head, response, 100.0 + at)
        assert not caplog.messages
        for at in range(20):
            loops.look(KEY, b"https", head, response, 105.0 + at / 10)
    assert loops.total == 24
    (said,) = caplog.messages
    assert said.startswith("shop production redirects /cart to itself, again and again")
    assert "SECURE_PROXY_SSL_HEADER" in said


def test_a_few_in_a_long_time_are_no_loop(caplog: pytest.LogCaptureFixture) -> None:
    loops = RedirectLoops()
    head, response = read(b"/cart")
    with caplog.at_level(logging.WARNING, "lb.proxy"):
        for at in range(20):
            loops.look(KEY, b"http", head, response, 100.0 + at * 4)
    assert loops.total == 20
    assert not caplog.messages


def test_other_redirects_do_not_count() -> None:
    loops = RedirectLoops()
    loops.look(KEY, b"https", *read(b"https://shop.example.com/login"), 1.0)
    assert loops.total == 0
