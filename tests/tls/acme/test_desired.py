"""Which certificates a configuration wants to be obtained, and which names get none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lb.config.load import load_bytes
from lb.config.plan import TlsPlan
from lb.tls.acme.desired import certificate_plan, lacking


def needs(*domains: str, staging: bool = False, on_demand: bool = False, **acme: Any) -> TlsPlan:
    app: dict[str, Any] = {"domains": list(domains), "production": {"instances": ["127.0.0.1:1"]}}
    if staging:
        app["staging"] = {"instances": ["127.0.0.1:2"]}
    tls: dict[str, Any] = {"acme": {"agree_to_terms": True, **acme}}
    if on_demand:
        tls["on_demand"] = {"ask": "http://127.0.0.1:1/"}
    value = {"listen": {"http": "127.0.0.1:0", "https": "127.0.0.1:0"}, "tls": tls, "apps": {"shop": app}}
    return load_bytes("test", json.dumps(value).encode(), {}).plan.tls


def none(_name: str) -> bool:
    return False


# spec: T5
def test_one_for_each_name_or_one_for_each_app() -> None:
    names = ("a.example", "b.example")
    assert [wanted.names for wanted in certificate_plan(needs(*names), none).wanted] == [("a.example",), ("b.example",)]
    (wanted,) = certificate_plan(needs(*names, certificate_per="app"), none).wanted
    assert (wanted.name, wanted.names) == ("a.example", names)


# spec: T5
def test_what_a_file_covers_is_not_obtained() -> None:
    plan = certificate_plan(needs("a.example", "b.example"), lambda name: name == "a.example")
    assert [wanted.name for wanted in plan.wanted] == ["b.example"]


# spec: T5
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("shop.internal", "not a public name"),
        ("a_b.example.com", "underscore"),
        ("*.example.com", "needs dns-01"),
    ],
)
def test_names_that_get_none_and_why(name: str, words: str) -> None:
    plan = certificate_plan(needs(name), none)
    assert plan.wanted == ()
    (warning,) = plan.warnings
    assert words in warning


def test_local_names_are_nobody_elses_to_certify() -> None:
    plan = certificate_plan(needs("shop.localhost"), none)
    assert (plan.wanted, plan.warnings) == ((), ())
    assert needs("*.localhost", "*.example.com").local_wildcards == {"*.localhost"}


# spec: T5
def test_names_under_a_wildcard_that_is_obtained_are_in_it() -> None:
    plan = certificate_plan(needs("*.example.com", "shop.example.com", "example.com", dns_hook="hook"), none)
    assert sorted(wanted.name for wanted in plan.wanted) == ["*.example.com", "example.com"]


# spec: T7
def test_wildcards_whose_names_get_their_own_on_demand() -> None:
    assert needs("*.example.com", on_demand=True).demanded_wildcards == {"*.example.com"}
    assert needs("*.example.com").demanded_wildcards == frozenset()
    assert needs("*.example.com", on_demand=True, dns_hook="hook").demanded_wildcards == frozenset()
    assert certificate_plan(needs("*.example.com", on_demand=True), none).warnings == ()


def test_bound_names_are_those_of_all_apps() -> None:
    assert needs("a.example", "*.b.example").names == {"a.example", "*.b.example"}


def test_names_for_which_none_will_come() -> None:
    assert lacking(needs("a.example", "*.example.com"), none) == ("*.example.com",)
    assert lacking(needs("*.example.com"), lambda _: True) == ()


# spec: T5
def test_the_challenge_types_that_work_here() -> None:
    assert needs("a.example", dns_hook="hook").challenge_types == ("http-01", "tls-alpn-01", "dns-01")
    assert needs("a.example", challenges="tls-alpn-01").challenge_types == ("tls-alpn-01",)
