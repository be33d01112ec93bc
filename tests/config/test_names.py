"""Domain names, as tables; the hints for what is no domain are in broken/domains.txt."""

from __future__ import annotations

import pytest

from lb.config.names import is_local, is_staging, parse_domain, shared_names
from lb.config.units import BadValueError


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("shop.example.com", "shop.example.com"),
        ("Shop.Example.COM.", "shop.example.com"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("my_app.internal", "my_app.internal"),
        ("r3---sn-abc.example.com", "r3---sn-abc.example.com"),
        ("*.example.com", "*.example.com"),
        ("*.Example.com.", "*.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.Example.", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("faß.example", "xn--fa-hia.example"),
        ("*.bücher.example", "*.xn--bcher-kva.example"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("\uff45xample.com", "example.com"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
    ],
)
def test_domain(written: str, name: str) -> None:
    # spec: D2
    assert parse_domain(written) == name


@pytest.mark.parametrize(
    "written",
    [
        "",
        ".",
        "*",
        "*.",
        "*.*.com",
        "a.*.com",
        "a*.com",
        "**.com",
        ".example.com",
        "a..b",
        "a.b..",
        "-a.com",
        "a-.com",
        "a b.com",
        "a,b.com",
        "a@b.com",
        "a:80",
        "http://a.com",
        "a.com/",
        "_",
        "~a",
        "[::1]",
        "::1",
        "a\0.com",
        "a\x1b.com",
        "☃.example",
        "\u202eshop.example",
        "\ud800.example",
        "ü" * 300,
        "a" * 64 + ".example",
        "a." * 127 + "com",
        None,
        5,
        [],
    ],
)
def test_not_a_domain(written: object) -> None:
    # spec: D2
    with pytest.raises(BadValueError):
        parse_domain(written)


def test_the_first_label_selects_the_environment() -> None:
    # spec: D1
    assert is_staging("stg-shop.example.com")
    assert not is_staging("shop.stg-example.com")
    assert not is_staging("stg.example.com")
    assert not is_staging("*.stg-shop.example.com")
    assert not is_staging("*")


def test_shared_names() -> None:
    # spec: D3
    assert shared_names("Shop", "apps.example.net") == ("shop.apps.example.net", "stg-shop.apps.example.net")


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("localhost", True),
        ("*.localhost", True),
        ("shop.test", True),
        ("10.0.0.1", True),
        ("8.8.8.8", False),
        ("::1", True),
        ("fe80::", True),
        ("2001:db8::1", False),
        ("shop.example.com", False),
        ("shop1", False),
        ("*", False),
        ("", False),
    ],
)
def test_local_names(name: str, local: bool) -> None:
    assert is_local(name) is local
