"""Which environment of which app a request reaches: clauses D1 to D4 (D5 needs TLS: test_https.py)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.harness.client import get, message
from tests.e2e.harness.door import FrontDoor, run_lb
from tests.e2e.harness.expect import assert_error, assert_logged
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import Echo, echo

_NAMES = ("shop", "shop-staging", "blog", "blog-staging", "wild", "only-production")


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontDoor]:
    """Four apps whose instances answer with their environment's name."""
    with ExitStack() as stack:
        at = {name: stack.enter_context(Instance(echo(name))).address for name in _NAMES}
        yield stack.enter_context(
            FrontDoor(
                {
                    "listen": {"http": ["127.0.0.1:0", "[::1]:0"]},
                    "workers": 1,
                    "shared_domain": "apps.example.net",
                    "apps": {
                        "shop": {
                            "domains": ["shop.example.com", "stg-shop.example.com", "bücher.example"],
                            "production": {"instances": [at["shop"]]},
                            "staging": {"instances": [at["shop-staging"]]},
                        },
                        "blog": {
                            "domains": ["blog.example.com", "stg-blog.example.com", "Stgx.Example.COM"],
                            "production": {"instances": [at["blog"]]},
                            "staging": {"instances": [at["blog-staging"]]},
                        },
                        "wild": {"domains": ["*.example.com"], "production": {"instances": [at["wild"]]}},
                        "only": {
                            "domains": ["only.example.org"],
                            "production": {"instances": [at["only-production"]]},
                        },
                    },
                },
                tmp_path_factory.mktemp("domains"),
            )
        )


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        # spec: D1
        ("shop.example.com", "shop"),
        ("stg-shop.example.com", "shop-staging"),
        ("blog.example.com", "blog"),
        ("stg-blog.example.com", "blog-staging"),
        ("stgx.example.com", "blog"),
        # spec: D2
        ("SHOP.Example.COM", "shop"),
        ("STG-Shop.example.com", "shop-staging"),
        ("shop.example.com.", "shop"),
        ("shop.example.com:8080", "shop"),
        ("Shop.Example.Com.:65535", "shop"),
        ("shop.example.com:", "shop"),
        ("other.example.com", "wild"),
        ("OTHER.example.com.:80", "wild"),
        ("xn--bcher-kva.example", "shop"),
        ("XN--BCHER-KVA.example", "shop"),
        # spec: D3
        ("shop.apps.example.net", "shop"),
        ("stg-shop.apps.example.net", "shop-staging"),
        ("Blog.Apps.Example.Net.:8080", "blog"),
        ("stg-blog.apps.example.net", "blog-staging"),
        ("only.apps.example.net", "only-production"),
    ],
)
def test_a_bound_domain_reaches_its_environment(door: FrontDoor, host: str, reached: str) -> None:
    response = door.ask(get("/", host=host))
    assert Echo(response).instance == reached
    assert Echo(response).one("host") == host  # spec: H5


@pytest.mark.parametrize(
    "host",
    [
        # spec: D4
        "example.com",
        "shop.example.org",
        "a.b.example.com",
        "shop.example.com.evil.example",
        "evilshop.example.co",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "apps.example.net",
        "nobody.apps.example.net",
        "stg-nobody.apps.example.net",
        "x.shop.apps.example.net",
    ],
)
def test_an_unbound_name_gets_404_with_a_reason(door: FrontDoor, host: str) -> None:
    # spec: D2 (a wildcard stands for one label only), D4
    response = door.ask(get("/secret", "Accept: text/plain", host=host))
    assert_error(response, 404, "destination_not_found")
    assert len(response.body.strip().splitlines()) == 1


def test_a_staging_domain_without_a_staging_environment_never_reaches_production(door: FrontDoor) -> None:
    # spec: D1
    response = door.ask(get("/", host="stg-only.apps.example.net"))
    assert_error(response, 404, "destination_not_found")


def test_the_decision_is_made_for_each_request_of_a_connection(door: FrontDoor) -> None:
    # spec: D1, D4; attack 24
    with door.connect() as client:
        assert Echo(client.ask(get("/", host="shop.example.com"))).instance == "shop"
        assert Echo(client.ask(get("/", host="blog.example.com"))).instance == "blog"
        assert client.ask(get("/", host="example.org")).status == 404
        assert Echo(client.ask(get("/", host="stg-shop.example.com"))).instance == "shop-staging"


def test_an_unbound_name_is_logged_with_its_cause(door: FrontDoor) -> None:
    # spec: D4, E1
    door.ask(get("/for-the-log", host="unbound.example"))
    entry = assert_logged(door, 404, "destination_not_found", target="/for-the-log")
    assert entry["host"] == "unbound.example"
    assert entry["app"] is None
    assert entry["instance"] is None


def test_a_wildcard_itself_is_not_a_host(door: FrontDoor) -> None:
    # spec: D2
    assert_error(door.ask(get("/", host="*.example.org")), 400, "http_request_error")


def test_http_1_0_without_host_is_unbound(door: FrontDoor) -> None:
    # spec: D4
    response = door.ask(message("GET / HTTP/1.0", host=None))
    assert_error(response, 404, "destination_not_found")


def test_the_log_names_app_and_environment(door: FrontDoor) -> None:
    # spec: D1, R4
    door.ask(get("/which", host="stg-blog.example.com"))
    entry = door.wait_log(target="/which")
    assert (entry["app"], entry["environment"]) == ("blog", "staging")


def _check(path: Path, text: str) -> str:
    file = path / "lb.yaml"
    file.write_text(text)
    done = run_lb("check", str(file))
    assert done.returncode == 78, (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a.example.com", "a.example.com"),
        ("a.example.com", "A.Example.Com."),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("*.example.com", "*.EXAMPLE.com"),
    ],
)
def test_one_domain_bound_twice_names_both_places(tmp_path: Path, first: str, second: str) -> None:
    # spec: D4
    told = _check(
        tmp_path,
        "listen:\n"
        "  http: 127.0.0.1:0\n"
        "apps:\n"
        "  one:\n"
        f'    domains: ["{first}"]\n'
        "    production: {instances: [127.0.0.1:3000]}\n"
        "  two:\n"
        "    domains:\n"
        f'      - "{second}"\n'
        "    production: {instances: [127.0.0.1:3001]}\n",
    )
    assert ":9:" in told
    assert "line 5" in told
