"""The configuration as the rest of the program sees it: frozen, complete, every value in one unit and one spelling.

Field names are the keys of the YAML file, and the descriptions here are those of the JSON Schema. This file knows each
key by itself; rules across several keys are in rules.py, positions of values in problems.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from lb.config import addresses, units
from lb.config.acme import Acme, OnDemand
from lb.config.base import Section
from lb.config.engine import DeploySettings, EngineSettings
from lb.config.field_settings import CorsSettings, ErrorPages, FieldSettings
from lb.config.fields import (
    Algorithm,
    AppName,
    Balance,
    ClientFrom,
    CookieName,
    DomainName,
    DomainOrAny,
    File,
    HashOn,
    HealthUri,
    LogFormat,
    LogPath,
    MediaType,
    Off,
    On,
    Protocol,
    Seconds,
    SecondsOrOff,
    Secret,
    SendProxy,
    SharedDomain,
    ShareOrOff,
    Status,
    Switch,
    Workers,
    Written,
    choice,
    count,
    one_or_more,
    or_none,
    or_off,
    seconds,
    size,
)
from lb.config.hsts import Hsts
from lb.config.instance_tls import InstanceTlsSettings
from lb.config.names import is_staging
from lb.config.own_settings import OwnLimits, OwnTimeouts
from lb.config.problems import quoted
from lb.config.rates import RateValue
from lb.config.route_settings import RouteSettings, serves_itself
from lb.config.trusted_proxies import TrustedProxy

_COMPRESSIBLE = (
    "application/atom+xml",
    "application/javascript",
    "application/json",
    "application/ld+json",
    "application/manifest+json",
    "application/problem+json",
    "application/rss+xml",
    "application/wasm",
    "application/xhtml+xml",
    "application/xml",
    "image/svg+xml",
    "text/css",
    "text/csv",
    "text/event-stream",
    "text/html",
    "text/javascript",
    "text/markdown",
    "text/plain",
    "text/xml",
)


class ListenAddress(Section):
    """Where to listen: an IP address ("" for all of them, IPv4 and IPv6) and a port (0: the system picks one)."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _listen_address(value: object) -> object:
    return value if isinstance(value, ListenAddress) else ListenAddress(**addresses.parse_listen(value)._asdict())


_Listener = Annotated[ListenAddress, BeforeValidator(_listen_address, json_schema_input_type=str)]


class Listen(Section):
    """Addresses to listen on."""

    http: Annotated[tuple[_Listener, ...], one_or_more(_Listener)] = Field(
        default=(),
        description="Where plain HTTP is served: 127.0.0.1:8080, [::]:80, :80 (every address); one, or a list.",
    )
    https: Annotated[tuple[_Listener, ...], one_or_more(_Listener)] = Field(
        default=(),
        description="Where HTTPS is served: one address, or a list. Needs tls.certificates or tls.acme.",
    )
    protocols: Annotated[tuple[Protocol, ...], one_or_more(Protocol, empty=False)] = Field(
        default=("h2", "http/1.1"),
        description="What clients may speak over HTTPS, the preferred one first: h2 (HTTP/2), http/1.1.",
    )
    h2c: Switch = Field(
        default=False,
        description="Accept HTTP/2 without TLS on the ports of listen.http, from clients that begin with it.",
    )
    proxy_protocol: Switch = Field(
        default=False,
        description="trusted_proxies begin each connection with a PROXY header (v1 or v2), which names the client.",
    )


class CertificateFiles(Section):
    """One certificate: two PEM files."""

    cert: File = Field(description="PEM file of the certificate, followed by its intermediate certificates.")
    key: File = Field(description="PEM file of the private key, without a passphrase.")


class Tls(Section):
    """Certificates, and the responses to ACME challenges."""

    certificates: Annotated[tuple[CertificateFiles, ...], one_or_more(CertificateFiles)] = Field(
        default=(),
        description="Certificates, selected by the client's server name; a client without one gets the first.",
    )
    challenges: File | None = Field(
        default=None,
        description="Directory of ACME HTTP-01 responses: one file per token, named after the token.",
    )
    acme: Annotated[Acme | None, or_none] = Field(
        default=None, description="Certificates that are obtained and renewed automatically, for every bound domain."
    )
    store: File = Field(default=Path("certs"), description="The store: directory of accounts, keys and certificates.")
    on_demand: Annotated[OnDemand | None, or_none] = Field(
        default=None, description="Certificates obtained on the first request for a name under a bound wildcard."
    )


class AccessLogSettings(Section):
    """One line per request."""

    path: LogPath = Field(default="-", description="File to append to; - is standard output.")
    format: LogFormat = Field(default="json", description="json, combined (as Apache and nginx write it), or off.")


def _access_log(value: object) -> object:
    """`access_log: combined` is short for `access_log: {format: combined}`, and off may be written in any way."""
    if units.is_off(value):
        return {"format": "off"}
    if isinstance(value, str) and set("/.") & set(value):
        raise units.BadValueError(f"{quoted(value)} is a path", f"write {{path: {value}}}")
    if value in ("stdout", "-"):
        raise units.BadValueError(f"{quoted(value)} is not a format", 'write {path: "-"} for standard output')
    return {"format": value} if isinstance(value, str) else value


class LimitSettings(Section):
    """What a client may send and how much is held at once; they apply to all apps."""

    header_line: Annotated[int, size(1 << 20, 256)] = Field(
        default=8 << 10, description="Longest request line (else 414) and longest header line (else 431), in bytes."
    )
    header_total: Annotated[int, size(16 << 20, 256)] = Field(
        default=64 << 10, description="Request line and header fields together, in bytes; more gets 431."
    )
    header_fields: Annotated[int, count(100_000)] = Field(
        default=1000, description="Number of header fields in a request; more gets 431."
    )
    body: Annotated[int, size(1 << 50)] = Field(
        default=100 << 20, description="Largest request body, in bytes; more gets 413."
    )
    connections: Annotated[int, count(10_000_000)] = Field(
        default=20_000,
        description="Client connections open at once; a worker has its share of them (at least one). Beyond it the "
        "longest idle one is closed; if none is idle, a new one gets 503. A worker never uses more than half of the "
        "descriptors that it may open.",
    )
    waiting: Annotated[int, count(10_000_000)] = Field(
        default=1000,
        description="Requests that may wait for an instance at once; a worker has its share of them; more get 503.",
    )
    client_connections: Annotated[int, count(1_000_000)] | None = Field(
        default=None,
        description="Connections open at once from one client, over all workers; more get 429. Without it there is "
        "no limit. A client is an IPv4 address, or the /64 of an IPv6 one; trusted_proxies are exempt.",
    )
    client_rate: RateValue | None = Field(
        default=None,
        description="Requests of one client, over all workers: 100/s, 600/m, 1000/h; more get 429 with Retry-After. "
        "Without it there is no limit. Behind a CDN (cdn: true), X-Forwarded-For names the client.",
    )
    client_burst: Annotated[int, count(1_000_000)] | None = Field(
        default=None, description="Requests that one client may send at once; without it, the number in client_rate."
    )
    instance_connections: Annotated[int, count(1_000_000)] | None = Field(
        default=None,
        description="Connections from one worker to one instance at once, idle ones included: an idle one is closed to "
        "make room. Without it there is no limit.",
    )


class Timeouts(Section):
    """How long to wait, in seconds. Only `drain` and `retire` cut transfers that make progress."""

    connect: Seconds = Field(default=60.0, description="For a connection to an instance, else 504.")
    response: Seconds = Field(default=60.0, description="For an instance to begin its response, else 504.")
    read: Seconds = Field(default=60.0, description="Between two reads of a body, the client's or the instance's.")
    handshake: Seconds = Field(default=10.0, description="For a TLS handshake, from the start of the connection.")
    head: Seconds = Field(default=60.0, description="For a request's head, from its first byte, else 408.")
    idle: Seconds = Field(default=75.0, description="How long a client connection without a request is kept open.")
    drain: Seconds = Field(
        default=30.0,
        description="For a stop: running requests finish; what is still open after that, streams included, is closed.",
    )
    retire: SecondsOrOff = Field(
        default=None,
        description="For a worker that a reload retires, and for the predecessor of an upgrade, to finish what is "
        "open; then it is closed. off: no limit.",
    )


class CompressionSettings(Section):
    """Which responses are compressed, and how."""

    algorithms: Annotated[tuple[Algorithm, ...], one_or_more(Algorithm, empty=False)] = Field(
        default=("zstd", "br", "gzip"),
        description="Codings to offer; the first one wins if a client accepts several equally.",
    )
    min_size: Annotated[int, size(1 << 40, 0)] = Field(
        default=256, description="Smaller bodies, in bytes, are not compressed."
    )
    types: Annotated[tuple[MediaType, ...], one_or_more(MediaType, empty=False)] = Field(
        default=_COMPRESSIBLE, description="Media types that are compressed."
    )


def _compression(value: object) -> object:
    return {} if units.is_on(value) else value


class Domain(Section):
    """A name bound to an app."""

    name: DomainOrAny = Field(
        description='Exact name, or a wildcard for one label ("*.example.com"), or "*" for every name that nobody '
        'bound. One that begins with "stg-" selects the staging environment.'
    )
    redirect: DomainName | None = Field(
        default=None, description="Another name that clients are sent to: scheme, port, path and query stay."
    )
    force_https: Switch = Field(default=False, description="Redirect HTTP requests to HTTPS.")
    hsts: Hsts = Field(
        default=None,
        description="Strict-Transport-Security in responses over HTTPS: true, how long (365d), or a mapping; off.",
    )
    cdn: Switch = Field(
        default=False,
        description="Clients come through a CDN: its addresses (trusted_proxies) are trusted to name the client.",
    )
    client_from: ClientFrom | None = Field(
        default=None,
        description="Who the client is: the other end of the connection, or (forwarded) whom trusted_proxies name in "
        "X-Forwarded-For; without it as the app says.",
    )
    compression: Switch = Field(default=True, description="false: never compress responses on this domain.")
    client_ca: File | None = Field(
        default=None,
        description="PEM file of authorities: clients present a certificate signed by one of them; the app gets it in "
        "Client-Cert.",
    )
    client_auth: Annotated[Literal["required", "optional"], choice("required", "optional")] = Field(
        default="required", description="With client_ca: whether a client without a certificate is rejected."
    )


def _domain(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


_DomainItem = Annotated[Domain, BeforeValidator(_domain, json_schema_input_type=Written | Domain)]


class InstanceAddress(Section):
    """Where an instance is: a host (address or name) and a port, or `path` of a Unix socket; `text` is as written.
    `tls` says that it speaks HTTPS.
    """

    host: str
    port: int
    path: str
    text: str
    tls: bool = False

    @property
    def is_name(self) -> bool:
        """Whether it is a name, whose addresses are looked up and may change."""
        return bool(self.host) and not self.path and not addresses.is_ip(self.host)


def _instance_address(value: object) -> object:
    if isinstance(value, InstanceAddress):
        return value
    if isinstance(value, str) and value.strip().lower().startswith("https://"):
        host, port = addresses.parse_https_instance(value.strip())
        return InstanceAddress(host=host, port=port, path="", text=value.strip(), tls=True)
    host, port, path = addresses.parse_instance(value)
    return InstanceAddress(host=host, port=port, path=path, text=str(value).strip())


_Instance = Annotated[InstanceAddress, BeforeValidator(_instance_address, json_schema_input_type=str)]


class InstanceSettings(Section):
    """The instances of an environment, their balancing and the checks of their health."""

    instances: Annotated[tuple[_Instance, ...], one_or_more(_Instance, empty=False)] = Field(
        default=(),
        description="Where the app's processes listen: 127.0.0.1:3000, [::1]:3000, name:3000, unix:/run/app.sock, or "
        "https://10.0.0.5:8443 for one that speaks HTTPS.",
    )
    instance_tls: InstanceTlsSettings = Field(
        default=InstanceTlsSettings(), description="How connections to instances that speak HTTPS are secured."
    )
    send_proxy: SendProxy = Field(
        default=None,
        description="v1 or v2: connections to instances begin with a PROXY header that names the client; off.",
    )
    balance: Balance = Field(default="round_robin", description="How the instance for a request is chosen.")
    hash_on: HashOn = Field(
        default="client_address",
        description="What consistent_hash hashes: client_address, uri, header:NAME or cookie:NAME.",
    )
    sticky_cookie: CookieName = Field(
        default="lb_instance", description="Name of the cookie in which sticky stores a client's instance."
    )
    sticky_secret: Secret | None = Field(
        default=None,
        description="Makes sticky's cookies valid on other machines; without it they are valid on this one only.",
    )
    max_fails: Annotated[int, count(1000)] = Field(
        default=1, description="Failures in a row after which an instance is passed over."
    )
    fail_duration: Seconds = Field(
        default=1.0, description="How long it is passed over at first; doubled each time, up to 10 times as long."
    )
    unhealthy_latency: SecondsOrOff = Field(
        default=None, description="A response that begins later counts as a failure; without it, none does."
    )
    unhealthy_status: Annotated[tuple[Status, ...], one_or_more(Status)] = Field(
        default=(), description="Statuses of responses that count as failures: 503, 5xx; one, or a list."
    )
    slow_start: SecondsOrOff = Field(
        default=None,
        description="How long until a new or recovered instance gets its full share; off: at once.",
    )
    retry_budget: ShareOrOff = Field(
        default=0.2, description="Share of requests that may be sent a second time; off: no limit."
    )
    keep_alive: Switch = Field(
        default=True,
        description="Connections to instances are reused; off: each is closed after its response, for an instance that "
        "serves one connection at a time.",
    )
    health_checks: Switch | None = Field(
        default=None,
        description="Check each instance regularly; on if one of the health_* keys is set, and for deployed apps.",
    )
    health_uri: HealthUri | None = Field(
        default=None, description="Path of the check, such as /health; without it, / (see health_status)."
    )
    health_port: Annotated[int, count(65535)] | None = Field(
        default=None, description="Port of the check, if it is not the one that serves."
    )
    health_interval: Annotated[float, seconds(0.1, 86400.0)] = Field(
        default=10.0,
        description="Between two checks of an instance whose state is certain; otherwise one second.",
    )
    health_timeout: Annotated[float, seconds(0.01, 3600.0)] = Field(
        default=5.0, description="For the response to a check; after that, the check has failed."
    )
    health_passes: Annotated[int, count(100)] = Field(
        default=1, description="Passed checks in a row after which an instance is used again."
    )
    health_fails: Annotated[int, count(100)] = Field(
        default=2, description="Failed checks in a row after which an instance is not used."
    )
    health_status: Annotated[tuple[Status, ...], one_or_more(Status, empty=False)] = Field(
        default=(),
        description="Statuses that pass: 200, 2xx, or a list of them. Without it, every status below 500, or 2xx if "
        "health_uri is set. 2xx alone, without health_uri, is also satisfied by a 2xx from /__engine/1/ping.",
    )
    health_start_period: Annotated[float, seconds(15.0, 120.0)] = Field(
        default=30.0, description="How long a starting instance is checked every second; 15s to 120s."
    )


class EnvironmentSettings(DeploySettings, InstanceSettings):
    """One environment of an app: the instances that are named here, or deployed ones."""

    noindex: Switch | None = Field(
        default=None,
        description="Whether X-Robots-Tag: noindex keeps responses out of search engines; on for staging alone.",
    )
    limits: OwnLimits = Field(default=OwnLimits(), description="Limits of this environment, in place of the app's.")
    timeouts: OwnTimeouts = Field(
        default=OwnTimeouts(), description="Time-outs of this environment, in place of the app's."
    )

    @property
    def is_checked(self) -> bool:
        """Whether its instances are checked."""
        if self.health_checks is not None:
            return self.health_checks
        return self.deploy or any(key.startswith("health_") for key in self.model_fields_set)


class App(Section):
    """One app: the domains that lead to it and the instances that serve it."""

    domains: Annotated[tuple[_DomainItem, ...], one_or_more(_DomainItem)] = Field(
        default=(), description="Names bound to the app; each is a name, or a mapping with its settings."
    )
    production: EnvironmentSettings | None = Field(
        default=None, description='Serves the domains that do not begin with "stg-".'
    )
    staging: EnvironmentSettings | None = Field(default=None, description='Serves the domains that begin with "stg-".')
    client_from: ClientFrom | None = Field(
        default=None,
        description="Who the clients of all its domains are: connection (the default), or forwarded: whom "
        "trusted_proxies name in X-Forwarded-For.",
    )
    limits: OwnLimits = Field(default=OwnLimits(), description="Limits of this app, in place of the file's.")
    timeouts: OwnTimeouts = Field(default=OwnTimeouts(), description="Time-outs of this app, in place of the file's.")
    headers: FieldSettings = Field(default=FieldSettings(), description="Header fields that are set or removed.")
    errors: ErrorPages = Field(
        default={},
        description="HTML files in place of error pages, by status (404) or class (5xx), for clients that take HTML.",
    )
    cors: CorsSettings | None = Field(default=None, description="Which other origins' scripts may use the app.")
    routes: Annotated[tuple[RouteSettings, ...], one_or_more(RouteSettings)] = Field(
        default=(), description="Requests by path, method, fields or query; the first route that matches is taken."
    )

    @model_validator(mode="after")
    def _without_instances(self) -> App:
        """An app that answers everything by its routes needs no environment to be written."""
        if self.production is not None or self.staging is not None or not serves_itself(self.routes):
            return self
        staging = any(is_staging(domain.name) for domain in self.domains)
        production = not staging or not all(is_staging(domain.name) for domain in self.domains)
        empty = EnvironmentSettings()
        return self.model_copy(
            update={"production": empty if production else None, "staging": empty if staging else None}
        )


class Config(Section):
    """The configuration of lb, the front door for Python apps."""

    listen: Listen = Field(default=Listen(), description="Addresses to listen on.")
    workers: Workers = Field(
        default=None, description="Number of worker processes, or auto for one per core (the default)."
    )
    tls: Tls = Field(default=Tls(), description="Certificates and ACME challenges.")
    access_log: Annotated[
        AccessLogSettings,
        BeforeValidator(_access_log, json_schema_input_type=AccessLogSettings | Literal["json", "combined"] | Off),
    ] = Field(default=AccessLogSettings(), description="Where and how one line per request is written, or off.")
    admin: Annotated[ListenAddress | None, or_off(_listen_address, _Listener)] = Field(
        default=None, description="Address of the admin server: /metrics, /healthz, /readyz, /status. Off without it."
    )
    trusted_proxies: Annotated[tuple[TrustedProxy, ...], one_or_more(TrustedProxy)] = Field(
        default=(),
        description="Networks of the proxies in front, or cloudflare, fastly, private: trusted to name the client on "
        "domains with cdn: true or client_from: forwarded.",
    )
    shared_domain: SharedDomain | None = Field(
        default=None,
        description="Domain under which every app is served as <app>.<domain>, and its staging as stg-<app>.<domain>.",
    )
    domains_default: AppName | None = Field(
        default=None, description="App whose production gets the requests for names that nobody bound; else 404."
    )
    dns_interval: Annotated[float, seconds(0.1, 86400.0)] = Field(
        default=10.0, description="Between two look-ups of an instance's name; changed addresses take effect."
    )
    limits: LimitSettings = Field(
        default=LimitSettings(), description="What a client may send and how much is held at once."
    )
    timeouts: Timeouts = Field(default=Timeouts(), description="How long to wait: 60s, 500ms, 2m, 1h, or seconds.")
    compression: Annotated[CompressionSettings | None, or_off(_compression, CompressionSettings | On)] = Field(
        default=CompressionSettings(), description="Which responses are compressed, and how; or off."
    )
    engine: EngineSettings = Field(
        default=EngineSettings(), description="The engine service, which builds and runs deployed apps."
    )
    apps: dict[AppName, App] = Field(default={}, description="The apps by name.")
