"""Names, ports, certificates, redirects to HTTPS and to other names."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lb.importing.omissions import Weight
from tests.importing.harness import Import

Nginx = Callable[[str], Import]
PASS = "location / { proxy_pass http://127.0.0.1:3000; }"
TLS = "listen 443 ssl; ssl_certificate /etc/a.pem; ssl_certificate_key /etc/a.key;"
TO_HTTPS = "return 301 https://$host$request_uri;"


def test_listeners_of_both_families_are_one(nginx: Nginx) -> None:
    found = nginx(f"server {{ listen 80; listen [::]:80; listen 127.0.0.1:8080; server_name a.example.com; {PASS} }}")
    assert found.settings["listen"] == {"http": [":80", "127.0.0.1:8080"]}
    assert found.comment('":80"') == "nginx.conf:1"


def test_certificates(nginx: Nginx) -> None:
    found = nginx(
        f"server {{ {TLS} server_name a.example.com; {PASS} }} server {{ {TLS} server_name b.example.com; {PASS} }}"
    )
    assert found.settings["listen"] == {"https": [":443"]}
    assert found.settings["tls"] == {"certificates": [{"cert": "/etc/a.pem", "key": "/etc/a.key"}]}


@pytest.mark.parametrize(
    "redirect",
    [
        TO_HTTPS,
        "location / { " + TO_HTTPS + " }",
        "rewrite ^ https://$host$request_uri permanent;",
        "return 301 https://a.example.com$request_uri;",
        "rewrite ^/(.*)$ https://$host/$1 permanent;",
    ],
)
def test_a_server_that_leads_to_https_is_a_setting_of_the_name(nginx: Nginx, redirect: str) -> None:
    found = nginx(
        f"server {{ listen 80; server_name a.example.com; {redirect} }} server {{ {TLS} "
        f"server_name a.example.com; {PASS} }}"
    )
    assert found.app["domains"] == [{"name": "a.example.com", "force_https": True}]
    assert found.settings["listen"] == {"http": [":80"], "https": [":443"]}
    assert found.omitted() == []


def test_a_redirect_of_every_name_holds_for_those_with_https(nginx: Nginx) -> None:
    found = nginx(
        f"server {{ {TLS} server_name a.example.com; {PASS} }} server {{ listen 80; server_name _; {TO_HTTPS} }}"
    )
    assert found.app["domains"] == [{"name": "a.example.com", "force_https": True}]
    assert list(found.apps) == ["a"]


@pytest.mark.parametrize(
    "condition", ["($host = a.example.com)", "($scheme = http)", '($https = "")', "($http_x_forwarded_proto = http)"]
)
def test_a_condition_that_leads_to_https(nginx: Nginx, condition: str) -> None:
    found = nginx(f"server {{ listen 80; {TLS} server_name a.example.com; if {condition} {{ {TO_HTTPS} }} {PASS} }}")
    assert found.app["domains"] == [{"name": "a.example.com", "force_https": True}]


def test_a_name_that_only_leads_to_another(nginx: Nginx) -> None:
    found = nginx(
        f"""server {{ {TLS} listen 80; server_name example.com; {PASS} }}
        server {{ {TLS} listen 80; server_name www.example.com; return 301 $scheme://example.com$request_uri; }}"""
    )
    assert found.app["domains"] == ["example.com", {"name": "www.example.com", "redirect": "example.com"}]
    assert list(found.apps) == ["example"]


def test_a_condition_about_the_name(nginx: Nginx) -> None:
    found = nginx(
        f"""server {{ listen 80; server_name example.com www.example.com;
        if ($host = www.example.com) {{ return 301 $scheme://example.com$request_uri; }} {PASS} }}"""
    )
    assert found.app["domains"] == ["example.com", {"name": "www.example.com", "redirect": "example.com"}]


def test_https_that_is_served_elsewhere(nginx: Nginx) -> None:
    found = nginx(f"server {{ listen 80; server_name a.example.com; {TO_HTTPS} }}")
    assert found.routes()["/"] == {"path": "/", "redirect": "https://{host}{path}", "status": 301}


def test_a_name_with_https_alone_does_not_answer_over_http(nginx: Nginx) -> None:
    found = nginx(
        f"server {{ {TLS} server_name a.example.com; {PASS} }} server {{ listen 80; "
        f"server_name b.example.com; {PASS} }}"
    )
    assert found.apps["a"]["domains"] == [{"name": "a.example.com", "force_https": True}]
    assert found.apps["b"]["domains"] == ["b.example.com"]


NAMES = [
    ("a.example.com b.example.com", ["a.example.com", "b.example.com"]),
    ("*.example.com", ["*.example.com"]),
    (".example.com", ["example.com", "*.example.com"]),
    ("_", ["*"]),
    ('""', ["*"]),
    ("BÜCHER.example", ["xn--bcher-kva.example"]),
]


@pytest.mark.parametrize(("written", "names"), NAMES)
def test_names(nginx: Nginx, written: str, names: list[str]) -> None:
    assert nginx(f"server {{ listen 80; server_name {written}; {PASS} }}").app["domains"] == names


def test_a_server_without_a_name_is_for_every_name(nginx: Nginx) -> None:
    assert nginx(f"server {{ listen 8080; {PASS} }}").app["domains"] == ["*"]


def test_the_default_server_is_for_every_name_too(nginx: Nginx) -> None:
    found = nginx(f"server {{ listen 80 default_server; server_name a.example.com; {PASS} }}")
    assert found.app["domains"] == ["a.example.com", "*"]


@pytest.mark.parametrize("name", ["~^www\\d+\\.example\\.com$", "www.example.*"])
def test_names_that_cannot_be_bound(nginx: Nginx, name: str) -> None:
    found = nginx(f"server {{ listen 80; server_name a.example.com {name}; {PASS} }}")
    assert found.app["domains"] == ["a.example.com"]
    assert found.omits(name, Weight.ROUTING)


def test_a_default_server_that_refuses_needs_no_app(nginx: Nginx) -> None:
    found = nginx(
        f"server {{ listen 80 default_server; return 444; }} server {{ listen 80; server_name a.example.com; {PASS} }}"
    )
    assert list(found.apps) == ["a"]
    assert found.omitted() == []


def test_a_port_that_chooses_the_app(nginx: Nginx) -> None:
    found = nginx(
        """server { listen 80; server_name a.example.com; location / { proxy_pass http://one:1; } }
        server { listen 8080; server_name a.example.com; location / { proxy_pass http://two:1; } }"""
    )
    assert found.app["production"]["instances"] == ["one:1"]
    assert found.omits("a name leads to one app, on every port", Weight.ROUTING)


def test_staging_names_lead_to_staging(nginx: Nginx) -> None:
    # spec: D1
    found = nginx(
        f"server {{ listen 80; server_name shop.example.com stg-shop.example.com; {PASS} "
        f"location /api/ {{ proxy_pass http://api:1; }} }}"
    )
    assert found.app["staging"] == {"instances": ["127.0.0.1:3000"], "noindex": False}
    assert found.apps["api"].keys() == {"production", "staging"}


def test_client_certificates(nginx: Nginx) -> None:
    found = nginx(
        f"server {{ {TLS} server_name a.example.com; ssl_client_certificate ca.pem; ssl_verify_client on; {PASS} }}"
    )
    assert found.app["domains"][0]["client_ca"] == "ca.pem"


def test_https_without_a_certificate_is_told(nginx: Nginx) -> None:
    found = nginx(f"server {{ listen 443 ssl; server_name a.example.com; {PASS} }}")
    assert found.settings["tls"] == {"store": "certs"}
    assert found.omits("no certificate is named", Weight.ROUTING)


def test_proxies_in_front(nginx: Nginx) -> None:
    found = nginx(
        f"http {{ set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For; server {{ "
        f"listen 80 proxy_protocol; {PASS} }} }}"
    )
    assert found.settings["trusted_proxies"] == ["10.0.0.0/8"]
    assert found.settings["listen"]["proxy_protocol"] is True
    assert found.app["client_from"] == "forwarded"


@pytest.mark.parametrize(
    "condition", ["($request_method = POST)", "($http_user_agent ~* bot)", "(-f $request_filename)"]
)
def test_a_condition_without_a_counterpart(nginx: Nginx, condition: str) -> None:
    found = nginx(f"server {{ listen 80; server_name a.example.com; if {condition} {{ return 403; }} {PASS} }}")
    assert found.omits("a condition of nginx has no counterpart", Weight.ACCESS)


def test_proxy_headers_from_proxies_that_are_not_named(nginx: Nginx) -> None:
    found = nginx(f"server {{ listen 80 proxy_protocol; {PASS} }}")
    assert found.settings["trusted_proxies"] == ["private"]
    assert found.omits("who may send PROXY headers is not said", Weight.ACCESS)


def test_a_server_that_asks_another_one_of_the_file(nginx: Nginx) -> None:
    found = nginx(
        """server { listen 80; server_name a.example.com; location / { proxy_pass http://127.0.0.1:8080; } }
        server { listen 127.0.0.1:8080; server_name b.example.com; location / { proxy_pass http://web:1; } }"""
    )
    assert found.apps["a"]["routes"][0]["deny"] is True
    assert found.omits("127.0.0.1:8080 is an address of lb itself", Weight.ROUTING)
