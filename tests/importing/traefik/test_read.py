"""Compose files with labels, and Traefik's own files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from lb.importing.import_file import import_files
from lb.importing.omissions import Weight
from lb.importing.source_line import UnreadableSourceError
from tests.importing.harness import Import, import_text

Compose = Callable[..., Import]
TRAEFIK = """\
  proxy:
    image: traefik:v3.1
    ports: ["80:80", "443:443"]
    command:
      - --providers.docker
      - --entrypoints.web.address=:80
      - --entrypoints.web.http.redirections.entrypoint.to=websecure
      - --entrypoints.websecure.address=:443
      - --certificatesresolvers.le.acme.email=ops@example.com
      - --certificatesresolvers.le.acme.tlschallenge=true
"""
ROUTER = [
    "traefik.enable=true",
    "traefik.http.routers.shop.rule=Host(`shop.example.com`)",
    "traefik.http.routers.shop.entrypoints=websecure",
    "traefik.http.routers.shop.tls.certresolver=le",
    "traefik.http.services.shop.loadbalancer.server.port=8000",
]


@pytest.fixture
def compose(tmp_path: Path) -> Compose:
    """Imports a compose file: Traefik, and a service with the labels of a router and further ones."""

    def imported(*labels: str, more: str = "", traefik: str = TRAEFIK, router: list[str] = ROUTER) -> Import:
        lines = "".join(f"      - {label}\n" for label in (*router, *labels))
        text = f"services:\n{traefik}  shop:\n    image: shop\n    labels:\n{lines}{more}"
        return import_text(tmp_path, text, "compose.yaml")

    return imported


def test_a_service(compose: Compose) -> None:
    found = compose()
    assert found.settings == {
        "listen": {"http": [":80"], "https": [":443"]},
        "tls": {"acme": {"email": "ops@example.com", "agree_to_terms": True}},
        "apps": {
            "shop": {
                "domains": [{"name": "shop.example.com", "force_https": True}],
                "production": {"instances": ["shop:8000"]},
            }
        },
    }
    assert found.omitted() == []
    assert found.comment("shop.example.com") == "compose.yaml:16"
    assert found.comment("shop:8000") == "compose.yaml:19"
    assert found.comment('":443"') == "compose.yaml:9"


def test_labels_as_a_mapping_and_merged_ones(tmp_path: Path) -> None:
    text = """\
    x-labels: &common
      traefik.http.routers.a.entrypoints: web
    services:
      a:
        expose: ["8000"]
        labels:
          <<: *common
          traefik.http.routers.a.rule: Host(`a.example.com`)
    """
    found = import_text(tmp_path, text, "compose.yaml")
    assert found.app == {"domains": ["a.example.com"], "production": {"instances": ["a:8000"]}}
    assert found.omits("the entry point web is not defined here; port 80 is assumed", Weight.TUNING)


PORTS = [
    ("    expose: [8000]\n", "shop:8000"),
    ("    ports: ['127.0.0.1:80:8000/tcp']\n", "shop:8000"),
    ("    ports:\n      - target: 8000\n", "shop:8000"),
    ("    ports: ['9000', '8000']\n", "shop:8000"),
]


@pytest.mark.parametrize(("more", "instance"), PORTS)
def test_ports_of_containers(compose: Compose, more: str, instance: str) -> None:
    assert compose(router=ROUTER[:-1], more=more).app["production"]["instances"] == [instance]


def test_a_port_that_is_not_written(compose: Compose) -> None:
    found = compose(router=ROUTER[:-1])
    assert found.app["production"]["instances"] == ["shop:80"]
    assert found.omits("the port of its containers is not written here", Weight.ROUTING)


def test_paths_by_priority(compose: Compose) -> None:
    api = """\
  api:
    labels:
      - traefik.http.routers.api.rule=Host(`shop.example.com`) && PathPrefix(`/api/`)
      - traefik.http.routers.api.tls=true
      - traefik.http.routers.api.entrypoints=websecure
      - traefik.http.services.api.loadbalancer.server.port=9000
"""
    found = compose(more=api)
    assert found.routes("shop") == {"/api/": {"path": "/api/", "app": "api"}}
    assert found.apps["api"]["production"]["instances"] == ["api:9000"]
    first = compose("traefik.http.routers.shop.priority=1000", more=api)
    assert first.routes("shop") == {}
    assert first.omits("/api/ would never match", Weight.ROUTING)


MIDDLEWARES: list[tuple[list[str], dict[str, Any]]] = [
    (["stripprefix.prefixes=/x"], {"strip": "/x"}),
    (["addprefix.prefix=/v1"], {"prefix": "/v1"}),
    (["replacepath.path=/y"], {"rewrite": "/y"}),
    (["ratelimit.average=10", "ratelimit.burst=20"], {"limits": {"client_rate": "10/s", "client_burst": 20}}),
    (["ratelimit.average=10", "ratelimit.period=1m"], {"limits": {"client_rate": "10/m", "client_burst": 1}}),
    (["buffering.maxRequestBodyBytes=2000000"], {"limits": {"body": 2000000}, "buffering": True}),
    (["ipallowlist.sourcerange=10.0.0.0/8,192.0.2.1"], {"allow": ["10.0.0.0/8", "192.0.2.1/32"]}),
    (["ipwhitelist.sourcerange=10.0.0.0/8"], {"allow": ["10.0.0.0/8"]}),
    (["basicauth.usersfile=/etc/users"], {"basic_auth": "/etc/users"}),
    (
        ["basicauth.users=bob:$$2a$$14$$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG"],
        {"basic_auth": "htpasswd"},
    ),
    (
        ["forwardauth.address=http://auth:9091/verify", "forwardauth.authResponseHeaders=Remote-User, Remote-Groups"],
        {"forward_auth": {"url": "http://auth:9091/verify", "copy": ["Remote-User", "Remote-Groups"]}},
    ),
    (
        ["headers.stsSeconds=63072000", "headers.stsIncludeSubdomains=true", "headers.frameDeny=true"],
        {
            "headers": {
                "response": {
                    "set": {
                        "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
                        "X-Frame-Options": "DENY",
                    }
                }
            }
        },
    ),
    (
        ["headers.customrequestheaders.X-Script-Name=test", "headers.customresponseheaders.Server="],
        {"headers": {"request": {"set": {"X-Script-Name": "test"}}, "response": {"remove": ["Server"]}}},
    ),
    (
        ["headers.accesscontrolalloworiginlist=https://a.example.com", "headers.accesscontrolallowmethods=GET,PUT"],
        {"cors": {"origins": ["https://a.example.com"], "methods": ["GET", "PUT"]}},
    ),
    (["compress=true"], {}),
]


@pytest.mark.parametrize(("labels", "settings"), MIDDLEWARES)
def test_middlewares(compose: Compose, labels: list[str], settings: dict[str, Any]) -> None:
    """Of a router with a path, so that they are a route's."""
    router = [
        label.replace("Host(`shop.example.com`)", "Host(`shop.example.com`) && PathPrefix(`/x/`)") for label in ROUTER
    ]
    found = compose(
        "traefik.http.routers.shop.middlewares=m@docker",
        *(f"traefik.http.middlewares.m.{label}" for label in labels),
        router=router,
    )
    assert found.routes()["/x/"] == {"path": "/x/", **settings}
    assert found.omitted() == []


def test_users_are_a_file_beside_the_configuration(compose: Compose) -> None:
    bob = "$2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG"
    al = "$apr1$Ebsl34q7$" + "x" * 22
    users = f"bob:{bob},al:{al}".replace("$", "$$")
    found = compose("traefik.http.routers.shop.middlewares=m", f"traefik.http.middlewares.m.basicauth.users={users}")
    assert found.done.files == {"htpasswd": f"bob:{bob}\nal:{al}\n"}
    assert found.routes()["/"]["basic_auth"] == "htpasswd"


def test_a_chain(compose: Compose) -> None:
    found = compose(
        "traefik.http.routers.shop.middlewares=all",
        "traefik.http.middlewares.all.chain.middlewares=one,two",
        "traefik.http.middlewares.one.headers.frameDeny=true",
        "traefik.http.middlewares.two.buffering.maxRequestBodyBytes=1024",
    )
    assert found.app["limits"] == {"body": "1K"}
    assert found.app["headers"]["response"]["set"] == {"X-Frame-Options": "DENY"}


CLOSED = [
    ["traefik.http.routers.shop.middlewares=nowhere@file"],
    ["traefik.http.routers.shop.middlewares=m", "traefik.http.middlewares.m.digestauth.users=x"],
    ["traefik.http.routers.shop.middlewares=m", "traefik.http.middlewares.m.plugin.some.key=x"],
    ["traefik.http.routers.shop.middlewares=m", "traefik.http.middlewares.m.basicauth.users=${USER}:${HASH}"],
    ["traefik.http.routers.shop.middlewares=m", "traefik.http.middlewares.m.chain.middlewares=m"],
]


@pytest.mark.parametrize("labels", CLOSED)
def test_what_stands_before_an_app_and_has_no_counterpart_closes_it(compose: Compose, labels: list[str]) -> None:
    found = compose(*labels)
    assert found.routes()["/"]["deny"] is True
    assert found.omitted()[0].weight is Weight.ACCESS


def test_a_redirect_of_one_router_to_https(compose: Compose) -> None:
    traefik = TRAEFIK.replace("      - --entrypoints.web.http.redirections.entrypoint.to=websecure\n", "")
    found = compose(
        "traefik.http.routers.plain.rule=Host(`shop.example.com`)",
        "traefik.http.routers.plain.entrypoints=web",
        "traefik.http.routers.plain.middlewares=https",
        "traefik.http.middlewares.https.redirectscheme.scheme=https",
        traefik=traefik,
    )
    assert found.app["domains"] == [{"name": "shop.example.com", "force_https": True}]
    assert found.omitted() == []


def test_a_name_that_leads_to_another(compose: Compose) -> None:
    found = compose(
        "traefik.http.routers.www.rule=Host(`www.example.com`)",
        "traefik.http.routers.www.tls=true",
        "traefik.http.routers.www.entrypoints=websecure",
        "traefik.http.routers.www.middlewares=www",
        "traefik.http.middlewares.www.redirectregex.regex=^https://www.example.com/(.*)",
        "traefik.http.middlewares.www.redirectregex.replacement=https://shop.example.com/$${1}",
        "traefik.http.middlewares.www.redirectregex.permanent=true",
    )
    assert found.routes("www")["/"] == {"path": "/", "redirect": "https://shop.example.com{path}", "status": 301}


def test_variables(compose: Compose) -> None:
    router = [label.replace("shop.example.com", "${DOMAIN?Variable not set}") for label in ROUTER]
    found = compose(router=router)
    assert found.app["domains"] == [{"name": "${DOMAIN}", "force_https": True}]


def test_files_are_read_together(compose: Compose, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        dedent(
            """\
            services:
              shop:
                labels:
                  - traefik.http.routers.dev.rule=Host(`shop.example.com`)
                  - traefik.http.routers.dev.entrypoints=web
                  - traefik.http.services.shop.loadbalancer.server.port=7000
            """
        )
    )
    compose(router=ROUTER[:-1])
    found = Import("", import_files([tmp_path / "base.yaml", tmp_path / "compose.yaml"]))
    assert found.app == {
        "domains": [{"name": "shop.example.com", "force_https": True}],
        "production": {"instances": ["shop:7000"]},
    }


SERVICES: list[tuple[list[str], dict[str, Any]]] = [
    (["healthcheck.path=/up", "healthcheck.interval=5s"], {"health_uri": "/up", "health_interval": "5s"}),
    (["sticky.cookie=true", "sticky.cookie.name=srv"], {"balance": "sticky", "sticky_cookie": "srv"}),
]


@pytest.mark.parametrize(("labels", "settings"), SERVICES)
def test_services(compose: Compose, labels: list[str], settings: dict[str, Any]) -> None:
    found = compose(*(f"traefik.http.services.shop.loadbalancer.{label}" for label in labels))
    assert found.app["production"] == {"instances": ["shop:8000"], **settings}
    assert found.omitted() == []


TOLD = [
    (["traefik.http.services.shop.loadbalancer.passhostheader=false"], Weight.BEHAVIOUR),
    (["traefik.tcp.routers.db.rule=HostSNI(`*`)"], Weight.ROUTING),
    (["traefik.http.routers.x.rule=!Host(`a`)"], Weight.ROUTING),
    (
        ["traefik.http.routers.x.rule=Host(`a.example.com`)", "traefik.http.routers.x.service=api@internal"],
        Weight.TUNING,
    ),
    (
        ["traefik.http.routers.shop.middlewares=m", "traefik.http.middlewares.m.circuitbreaker.expression=x"],
        Weight.BEHAVIOUR,
    ),
]


@pytest.mark.parametrize(("labels", "weight"), TOLD)
def test_what_has_no_counterpart_is_told(compose: Compose, labels: list[str], weight: Weight) -> None:
    assert [one.weight for one in compose(*labels).omitted()] == [weight]


def test_a_service_that_is_switched_off(compose: Compose) -> None:
    with pytest.raises(UnreadableSourceError, match="no router"):
        compose(router=["traefik.enable=false", *ROUTER[1:]])


OWN_FILE = """\
entryPoints:
  web: {address: ":80", http: {redirections: {entryPoint: {to: web-secure}}}}
  web-secure: {address: ":443"}
  flower: {address: ":5555"}
certificatesResolvers:
  letsencrypt: {acme: {email: ops@example.com, httpChallenge: {entryPoint: web}}}
http:
  routers:
    web-secure-router:
      rule: 'Host(`example.com`) || Host(`www.example.com`)'
      entryPoints: [web-secure]
      middlewares: [csrf]
      service: django
      tls: {certResolver: letsencrypt}
    media:
      rule: '(Host(`example.com`) || Host(`www.example.com`)) && PathPrefix(`/media/`)'
      entryPoints: [web-secure]
      service: media
      tls: {certResolver: letsencrypt}
    flower:
      rule: Host(`example.com`)
      entryPoints: [flower]
      service: flower
      tls: {certResolver: letsencrypt}
  middlewares:
    csrf: {headers: {hostsProxyHeaders: [X-CSRFToken]}}
  services:
    django: {loadBalancer: {servers: [{url: "http://django:5000"}]}}
    media: {loadBalancer: {servers: [{url: "http://nginx:80"}]}}
    flower: {loadBalancer: {servers: [{url: "http://flower:5555"}]}}
"""


def test_a_file_of_its_own(tmp_path: Path) -> None:
    found = import_text(tmp_path, OWN_FILE, "traefik.yml")
    assert found.app == {
        "domains": [{"name": "example.com", "force_https": True}, {"name": "www.example.com", "force_https": True}],
        "production": {"instances": ["django:5000"]},
        "routes": [{"path": "/media/", "app": "media"}],
    }
    assert found.settings["listen"] == {"http": [":80"], "https": [":443"]}
    assert [one.weight for one in found.omitted()] == [Weight.ROUTING]  # the port that chooses flower
    assert found.omits("a name leads to one app, on every port")


BROKEN = ["services: [", "a: 1", "services: {web: {image: x}}", "\t", "services:\n  web:\n    labels: [x\n"]


@pytest.mark.parametrize("text", BROKEN)
def test_a_file_that_cannot_be_imported(tmp_path: Path, text: str) -> None:
    (tmp_path / "compose.yaml").write_text(text)
    with pytest.raises(UnreadableSourceError):
        import_files([tmp_path / "compose.yaml"])
