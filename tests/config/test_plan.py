"""What follows from a configuration, as tables: a configuration on the left, what is derived from it on the right."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from lb.config.load import config_for_instances, load_bytes
from lb.config.model import InstanceAddress
from lb.config.plan import NAME_ROWS, ClientOfChecks, Plan, health_keys, make_plan, row_key, why_impossible

ACME = "acme: {agree_to_terms: true}"
PRIVATE = "acme: {directory: 'https://127.0.0.1:1/dir', agree_to_terms: true}"
DNS = "acme: {agree_to_terms: true, dns_hook: /bin/true}"
ASK = "on_demand: {ask: 'http://127.0.0.1:1/ask'}"


def plan(*domains: str, tls: str = "", more: str = "", listen: str = "http: ':80', https: ':443'") -> Plan:
    """Of an app with a production at one address and a staging at another."""
    tls = tls or "certificates: {cert: a.pem, key: a.key}"
    text = f"listen: {{{listen}}}\ntls: {{{tls}}}\n{more}\napps:\n  shop:\n    domains: [{', '.join(domains)}]\n"
    text += "    production: {instances: [127.0.0.1:1]}\n    staging: {instances: [127.0.0.1:2]}\n"
    return load_bytes("lb.yaml", text.encode(), {}).plan


def environment(keys: str) -> Plan:
    text = f"listen: {{http: ':80'}}\napps: {{shop: {{domains: [a.example], production: {{{keys}}}}}}}"
    return load_bytes("lb.yaml", text.encode(), {}).plan


# Domains


def test_an_app_has_its_own_domains_and_those_of_the_shared_one() -> None:  # spec: D3
    found = plan("a.example", "stg-a.example", more="shared_domain: apps.example")
    names = ["a.example", "stg-a.example", "shop.apps.example", "stg-shop.apps.example"]
    assert [domain.name for domain in found.domains["shop"]] == names
    assert found.tls.names == frozenset(names)


def test_an_environment_that_is_not_there_has_no_name_under_the_shared_domain() -> None:  # spec: D3
    text = b"listen: {http: ':80'}\nshared_domain: apps.example\napps: {shop: {production: {instances: [127.0.0.1:1]}}}"
    assert load_bytes("lb.yaml", text, {}).plan.tls.names == {"shop.apps.example"}


def test_every_host_is_no_name() -> None:
    found = make_plan(config_for_instances(["127.0.0.1:1"], [], ":80"))
    assert [domain.name for domain in found.domains["app"]] == ["*"]
    assert found.tls.names == frozenset()


# Instances


@pytest.mark.parametrize(
    ("keys", "rows"),
    [
        ("instances: [127.0.0.1:1, '[::1]:2']", []),
        ("instances: [127.0.0.1:1, '[::1]:2'], health_checks: on", [1, 1]),
        ("instances: [127.0.0.1:1], health_uri: /up", [1]),
        ("instances: [127.0.0.1:1], health_uri: /up, health_checks: off", []),
        ("instances: [127.0.0.1:1, web:2]", [NAME_ROWS]),
        ("instances: [127.0.0.1:1, web:2], health_checks: on", [1, NAME_ROWS]),
        ("instances: [unix:/run/app.sock], health_checks: on", [1]),
    ],
)
def test_who_is_watched(keys: str, rows: list[int]) -> None:
    found = environment(keys)
    assert [len(one.keys) for one in found.health.watched] == rows
    assert [one for one in found.environments[0].instances if one.keys] == list(found.health.watched)


def test_all_instances_have_names_whether_watched_or_not() -> None:
    assert plan("a.example").instance_names == (
        ("shop", "production", "127.0.0.1:1"),
        ("shop", "staging", "127.0.0.1:2"),
    )


def test_what_the_log_calls_an_instance() -> None:
    [one] = environment("instances: [web:2]").health.watched
    assert (one.title, one.name) == ("app shop production web:2", ("shop", "production", "web:2"))


def test_every_row_has_a_key_of_its_own() -> None:
    addresses = [InstanceAddress(host=host, port=1, path="", text=f"{host}:1") for host in ("10.0.0.1", "web")]
    keys = [
        key
        for app in ("shop", "blog")
        for name in ("production", "staging")
        for address in addresses
        for key in health_keys(app, name, address)
    ]
    assert len(keys) == len(set(keys)) == 4 * (1 + NAME_ROWS)
    assert {len(key) for key in keys} == {16}  # what a row of the health table has room for
    assert keys[0] == row_key("shop", "production", "10.0.0.1:1")


@pytest.mark.parametrize(
    ("domains", "more", "listen", "production", "staging"),
    [
        (["a.example"], "", "http: ':80'", ("a.example", "http"), ("", "http")),
        (["a.example"], "", "https: ':443'", ("a.example", "https"), ("", "https")),
        (["'*.example'", "a.example"], "", "http: ':80'", ("a.example", "http"), ("", "http")),
        (["'*.a.example'"], "", "http: ':80'", ("www.a.example", "http"), ("", "http")),
        (["stg-a.example"], "", "http: ':80'", ("", "http"), ("stg-a.example", "http")),
        ([], "shared_domain: b.example", "http: ':80'", ("shop.b.example", "http"), ("stg-shop.b.example", "http")),
        (
            ["{name: a.example, cdn: true}"],
            "trusted_proxies: [10.0.0.0/8]",
            "http: ':80'",
            ("a.example", "https"),
            ("", "https"),
        ),
    ],
)
def test_as_what_client_checks_ask(
    domains: list[str], more: str, listen: str, production: tuple[str, str], staging: tuple[str, str]
) -> None:
    text = f"listen: {{{listen}}}\ntls: {{certificates: {{cert: a.pem, key: a.key}}}}\n{more}\n"
    text += f"apps:\n  shop:\n    domains: [{', '.join(domains)}]\n"
    text += "    production: {instances: [127.0.0.1:1], health_checks: on}\n"
    text += "    staging: {instances: [127.0.0.1:2], health_checks: on}\n"
    assert load_bytes("lb.yaml", text.encode(), {}).plan.health.asked_as == {
        ("shop", "production"): ClientOfChecks(*production),
        ("shop", "staging"): ClientOfChecks(*staging),
    }


# Certificates


@pytest.mark.parametrize(
    ("domains", "names", "wildcards"),
    [
        (["a.example"], [], []),
        (["localhost", "shop.test", "a.example"], ["localhost", "shop.test"], []),
        (["'*.localhost'", "10.0.0.1"], ["10.0.0.1"], ["*.localhost"]),
        (["'*.shop.test'"], ["*.shop.test"], []),
    ],
)
def test_local_names(domains: list[str], names: list[str], wildcards: list[str]) -> None:
    found = plan(*domains).tls
    assert (found.local_names, found.local_wildcards) == (tuple(names), frozenset(wildcards))


@pytest.mark.parametrize(
    ("tls", "listen", "types"),
    [
        ("store: certs, certificates: {cert: a.pem, key: a.key}", "http: ':80', https: ':443'", ()),
        (ACME, "http: ':80', https: ':443'", ("http-01", "tls-alpn-01")),
        (ACME, "https: ':443'", ("tls-alpn-01",)),
        (DNS, "https: ':443'", ("tls-alpn-01", "dns-01")),
        ("acme: {agree_to_terms: true, challenges: [http-01]}", "http: ':80', https: ':443'", ("http-01",)),
    ],
)
def test_challenge_types(tls: str, listen: str, types: tuple[str, ...]) -> None:
    assert plan("a.example", tls=tls, listen=listen).tls.challenge_types == types


@pytest.mark.parametrize(
    ("tls", "demanded"),
    [
        (ACME, []),
        (f"{ACME}, {ASK}", ["*.a.example"]),
        (f"{DNS}, {ASK}", []),  # those have a certificate themselves
    ],
)
def test_demanded_wildcards(tls: str, demanded: list[str]) -> None:
    found = plan("'*.a.example'", "'*.localhost'", "b.example", tls=tls).tls
    assert found.demanded_wildcards == frozenset(demanded)


_WILDCARD = "a wildcard needs dns-01, and therefore tls.acme.dns_hook"


@pytest.mark.parametrize(
    ("domains", "tls", "names", "impossible"),
    [
        (["a.example", "localhost"], ACME, ("a.example",), {}),
        (["'*.a.example'", "a.example"], ACME, ("a.example",), {"*.a.example": _WILDCARD}),
        (["'*.a.example'"], f"{ACME}, {ASK}", (), {"*.a.example": ""}),
        (["'*.a.example'"], DNS, ("*.a.example",), {}),
        (["shop.internal"], PRIVATE, ("shop.internal",), {}),
        (["shop.internal"], ACME, (), {"shop.internal": "it is not a public name, and the CA is a public one"}),
    ],
)
def test_certificate_needs(domains: list[str], tls: str, names: tuple[str, ...], impossible: dict[str, str]) -> None:
    [needs] = plan(*domains, tls=tls).tls.needs
    assert (needs.names, needs.impossible) == (names, impossible)


@pytest.mark.parametrize(("tls", "listen"), [("", "http: ':80', https: ':443'"), (ACME, "http: ':80'")])
def test_without_acme_or_https_no_certificate_is_needed(tls: str, listen: str) -> None:
    assert plan("a.example", tls=tls, listen=listen).tls.needs == ()


@pytest.mark.parametrize(
    ("name", "public", "wildcards", "reason"),
    [
        ("a.example", True, False, None),
        ("8.8.8.8", False, True, "it is an address, and lb orders certificates for names only"),
        ("my_app.example", False, True, "CAs issue none for names with an underscore"),
        ("intranet", True, True, "it is not a public name, and the CA is a public one"),
        ("intranet", False, True, None),
        ("*.a.example", True, False, _WILDCARD),
        ("*.a.example", True, True, None),
    ],
)
def test_why_a_ca_cannot_give_a_certificate(name: str, public: Any, wildcards: Any, reason: str | None) -> None:
    assert why_impossible(name, public=public, wildcards=wildcards) == reason


def test_clients_of_which_domains_are_asked_for_certificates() -> None:
    found = plan("{name: '*.a.example', client_ca: ca.pem}", "b.a.example", "c.example").tls.clients
    assert found["*.a.example"] is not None
    assert found.keys() == {"*.a.example", "b.a.example"}
    assert found["b.a.example"] is None


# The whole


def test_a_plan_reaches_other_processes_as_it_is() -> None:
    made = plan("a.example", "'*.a.example'", tls=f"{ACME}, {ASK}", more="shared_domain: apps.example")
    again = pickle.loads(pickle.dumps(made))
    assert again == made
    assert again.environments[0].settings is again.config.apps["shop"].production  # nothing is there twice
