"""Addresses to listen on, instances and networks, as tables; what is wrong with them is in broken/."""

from __future__ import annotations

import pytest

from lb.config.addresses import parse_instance, parse_listen, parse_network
from lb.config.units import BadValueError

# spec: R1


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        (":80", "", 80),
        ("0.0.0.0:80", "0.0.0.0", 80),
        ("[::]:80", "::", 80),
        ("[::1]:8443", "::1", 8443),
        ("[2001:DB8:0:0::1]:443", "2001:db8::1", 443),
        ("127.0.0.1:0", "127.0.0.1", 0),
        ("127.0.0.1:65535", "127.0.0.1", 65535),
        ("127.0.0.1:0080", "127.0.0.1", 80),
    ],
)
def test_listen(written: str, host: str, port: int) -> None:
    assert parse_listen(written) == (host, port)


@pytest.mark.parametrize(
    "written",
    [
        "",
        ":",
        "80",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:http",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:99999999999",
        "::1:80",
        "[::1]",
        "[::1",
        "::1]:80",
        "[127.0.0.1]:80",
        "[]:80",
        "[::1]:80:90",
        "localhost:80",
        "*:80",
        "a b:80",
        "unix:/run/lb.sock",
        "http://127.0.0.1:80",
        "127.0.0.1:\uff18\uff10",
        "1.2.3:80",
        None,
        80,
        ["127.0.0.1:80"],
    ],
)
def test_not_an_address_to_listen_on(written: object) -> None:
    with pytest.raises(BadValueError) as error:
        parse_listen(written)
    assert error.value.hint


@pytest.mark.parametrize(
    ("written", "instance"),
    [
        ("127.0.0.1:3000", ("127.0.0.1", 3000, "")),
        ("[::1]:3000", ("::1", 3000, "")),
        ("[2001:DB8::1]:3000", ("2001:db8::1", 3000, "")),
        ("localhost:3000", ("localhost", 3000, "")),
        ("Web-1.Internal.:3000", ("web-1.internal", 3000, "")),
        ("my_app:3000", ("my_app", 3000, "")),
        ("unix:/run/shop.sock", ("", 0, "/run/shop.sock")),
        ("unix:///run/shop.sock", ("", 0, "/run/shop.sock")),
        ("unix:shop.sock", ("", 0, "shop.sock")),
        (" 127.0.0.1:3000 ", ("127.0.0.1", 3000, "")),
    ],
)
def test_instance(written: str, instance: tuple[str, int, str]) -> None:
    assert parse_instance(written) == instance


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("3000", "127.0.0.1:3000"),
        (":3000", "127.0.0.1:3000"),
        ("http://10.0.0.5:3000/", "10.0.0.5:3000"),
        ("http://shop/", "shop:80"),
        ("http://", "127.0.0.1:80"),
        ("h2c://10.0.0.5:443", "lb speaks HTTP to instances"),
        ("/run/shop.sock", "unix:/run/shop.sock"),
        ("::1", '"[::1]:80"'),
        ("10.0.0.5", "10.0.0.5:80"),
        ("127.0.0.1:0", "port"),
        ("unix:", "unix:/run/app.sock"),
        ("unix:/run/", "unix:/run/app.sock"),
        ("unix:/" + "a" * 107, "107 bytes"),
        ("a..b:80", "127.0.0.1:3000"),
        ("-a:80", "- a:80"),
    ],
)
def test_not_an_instance(written: str, hint: str) -> None:
    with pytest.raises(BadValueError) as error:
        parse_instance(written)
    assert hint in error.value.hint


@pytest.mark.parametrize("written", ["300.0.0.1:80", "127.1:80", "1:80", "unix:/a\0b"])
def test_impossible_instances(written: str) -> None:
    with pytest.raises(BadValueError):
        parse_instance(written)


def test_a_path_of_107_bytes_is_possible() -> None:
    path = "/" + "a" * 106
    assert parse_instance(f"unix:{path}") == ("", 0, path)


@pytest.mark.parametrize(
    ("written", "network"),
    [
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("203.0.113.7", "203.0.113.7/32"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::1", "::1/128"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
    ],
)
def test_network(written: str, network: str) -> None:
    assert str(parse_network(written)) == network


@pytest.mark.parametrize(
    "written", ["", "10.0.0.1/8", "10.0.0.0/33", "300.0.0.0/8", "cloudflare", "010.0.0.0/8", None, 1]
)
def test_not_a_network(written: object) -> None:
    with pytest.raises(BadValueError) as error:
        parse_network(written)
    assert error.value.hint
