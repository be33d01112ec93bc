"""What serves: `upstream` blocks and the addresses of `proxy_pass` → backends.

This file knows addresses and balancing. Which requests go there is for `answers` to know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lb.importing import values
from lb.importing.draft import Backend, Said, Settings, put
from lb.importing.nginx.scope import Scope
from lb.importing.nginx.syntax import Directive
from lb.importing.omissions import Omissions, Weight

_URL = re.compile(
    r"(?:(?P<scheme>[a-z]+)://)?(?P<host>unix:[^:]+:?|\[[^\]]+\](?::\d+)?|[^/:?]*(?::[^/?]+)?)(?P<uri>.*)"
)
_PORTS = {"http": "80", "https": "443", "grpc": "80", "grpcs": "443"}
_SPEAKS = {
    "fastcgi_pass": "FastCGI",
    "uwsgi_pass": "the uwsgi protocol",
    "scgi_pass": "SCGI",
    "memcached_pass": "memcached's protocol",
}
_SERVERS = {
    "fastcgi_pass": "start an HTTP server for the app (for PHP: Apache, FrankenPHP or Caddy in front of FPM)",
    "uwsgi_pass": "have uWSGI listen with http-socket = ADDRESS in place of socket = ADDRESS",
    "scgi_pass": "start an HTTP server for the app, such as gunicorn",
    "memcached_pass": "let the app answer",
}
PASSES = ("proxy_pass", "grpc_pass", *_SPEAKS)
_HASHED = {
    "$remote_addr": "client_address",
    "$binary_remote_addr": "client_address",
    "$request_uri": "uri",
    "$uri": "uri",
}
_SAME_PATH = ("$request_uri", "$uri$is_args$args", "$uri", "$is_args$args")
_FLAGS = frozenset(("down", "backup", "resolve", "weight=1"))


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go, and what `proxy_pass` puts in place of the location's path (None: nothing)."""

    backend: Backend
    uri: str | None


class Upstreams:
    """The backends of a configuration: each upstream and each address once for each way of connecting."""

    def __init__(self, http: Scope, omissions: Omissions) -> None:
        self._blocks = {one.first(): one for one in http.own("upstream")}
        self._omissions = omissions
        self._backends: dict[tuple[object, ...], Backend] = {}

    def target(self, directive: Directive, scope: Scope) -> Target | None:
        """Where a `proxy_pass` or the like leads; None (and an omission) if that is not known here."""
        found = _address(directive.first(), scope)
        if found is None or not found["host"]:
            message = f"{directive.written()}: the address is not known before a request comes"
            self._omissions.add(Weight.ROUTING, directive.at, message, "write a route for each app that it may be")
            return None
        scheme = found["scheme"] or "http"
        tls = scheme in ("https", "grpcs")
        host = found["host"].removesuffix(":")
        transport = self._transport(scope, directive) if tls else {}
        key = (host, scheme, tuple(sorted((name, str(said.value)) for name, said in _leaves(transport))))
        if key not in self._backends:
            self._backends[key] = self._backend(host, scheme, directive, transport)
        backend = self._backends[key]
        if not backend.instances:
            return None
        return Target(backend, found["uri"] or None)

    def _backend(self, host: str, scheme: str, directive: Directive, transport: Settings) -> Backend:
        block = self._blocks.get(host)
        tls = scheme in ("https", "grpcs")
        if block is not None:
            backend = Backend(host, [], block.at)
            self._servers(block, backend, tls=tls)
            self._balance(block, backend)
        else:
            backend = Backend(_name(host), [], directive.at)
            self._add(backend, directive, (host, _PORTS.get(scheme, "")), tls=tls)
        if directive.name in _SPEAKS and backend.instances:
            message = f"{directive.written()}: lb speaks HTTP to apps, and this one speaks {_SPEAKS[directive.name]}"
            self._omissions.add(Weight.ROUTING, directive.at, message, _SERVERS[directive.name])
            note = f"it speaks {_SPEAKS[directive.name]} now: lb needs HTTP"
            backend.instances = [Said(one.value, one.at, note) for one in backend.instances]
        if directive.name == "grpc_pass":
            message = f"{directive.written()}: the instance is spoken to in HTTP/1.1 or as its certificate says"
            self._omissions.add(Weight.BEHAVIOUR, directive.at, message)
        backend.settings.update(transport)
        return backend

    def _servers(self, block: Directive, backend: Backend, *, tls: bool) -> None:
        for server in (one for one in block.block or () if one.name == "server"):
            options = server.arguments[1:]
            if "down" in options:
                continue
            if "backup" in options:
                hint = "an instance that fails is passed over anyhow; add it to instances if it may serve all the time"
                self._omissions.add(Weight.ROUTING, server.at, f"{server.first()} is a backup, and lb has none", hint)
                continue
            self._add(backend, server, (server.first(), "443" if tls else "80"), tls=tls)
            for option in options:
                self._option(option, server, backend)
        if not backend.instances:
            self._omissions.add(Weight.ROUTING, block.at, f"the upstream {backend.name} has no server")

    def _add(self, backend: Backend, directive: Directive, address: tuple[str, str], *, tls: bool) -> None:
        written, default = address
        if written.startswith("unix:"):
            text = values.instance(written, "", tls=False)
        else:
            found = re.fullmatch(r"(\[[^\]]+\]|[^:]*)(?::(.+))?", written)
            text = values.instance(found[1], found[2] or default, tls=tls) if found is not None else None
        if text is None:
            self._omissions.add(Weight.ROUTING, directive.at, f"{written} is no address that an instance can have")
        elif all(one.value != text for one in backend.instances):
            backend.instances.append(Said(text, (directive.at,)))

    def _option(self, option: str, server: Directive, backend: Backend) -> None:
        name, _, value = option.partition("=")
        if option in _FLAGS:
            return
        if name == "max_fails" and value.isdecimal() and value not in ("0", "1"):
            put(backend.settings, ("max_fails",), int(value), server.at)
        elif name == "fail_timeout" and values.seconds(value):
            put(backend.settings, ("fail_duration",), values.duration(value), server.at)
        elif name == "slow_start" and values.duration(value):
            put(backend.settings, ("slow_start",), values.duration(value), server.at)
        elif name not in ("max_fails", "fail_timeout"):
            message = f"{option} of {server.first()}: every instance gets the same share"
            self._omissions.add(Weight.TUNING, server.at, message, "balance: least_connections gives a faster one more")

    def _balance(self, block: Directive, backend: Backend) -> None:
        for one in block.block or ():
            match one.name, one.arguments:
                case "least_conn" | "least_time", _:
                    put(backend.settings, ("balance",), "least_connections", one.at)
                case "random", ("two", *_):
                    put(backend.settings, ("balance",), "power_of_two", one.at)
                case "ip_hash", _:
                    put(backend.settings, ("balance",), "consistent_hash", one.at)
                case "hash", (key, *_):
                    self._hash(one, key, backend)
                case "sticky", ("cookie", cookie, *_):
                    put(backend.settings, ("balance",), "sticky", one.at)
                    put(backend.settings, ("sticky_cookie",), cookie, one.at)
                case (("random" | "sticky"), _):
                    self._omissions.add(Weight.TUNING, one.at, f"{one.written()}: requests go to each in turn")

    def _hash(self, directive: Directive, key: str, backend: Backend) -> None:
        hashed = _HASHED.get(key)
        if (found := re.fullmatch(r"\$(http|cookie)_(\w+)", key)) is not None:
            kind = "header" if found[1] == "http" else "cookie"
            hashed = f"{kind}:{found[2].replace('_', '-') if kind == 'header' else found[2]}"
        if hashed is None:
            self._omissions.add(Weight.TUNING, directive.at, f"{directive.written()}: this cannot be hashed")
            return
        put(backend.settings, ("balance",), "consistent_hash", directive.at)
        if hashed != "client_address":
            put(backend.settings, ("hash_on",), hashed, directive.at)

    def _transport(self, scope: Scope, directive: Directive) -> Settings:
        """How an instance's certificate is looked at: nginx does not verify it unless it is told to."""
        settings: Settings = {}
        verify = scope.one("proxy_ssl_verify")
        if verify is None or verify.first() != "on":
            at = verify.at if verify is not None else directive.at
            settings["instance_tls"] = {"verify": Said(value=False, at=(at,), note="nginx does not verify by itself")}
        verified = not settings
        for name, key in (
            ("proxy_ssl_name", "server_name"),
            ("proxy_ssl_trusted_certificate", "ca"),
            ("proxy_ssl_certificate", "cert"),
            ("proxy_ssl_certificate_key", "key"),
        ):
            one = scope.one(name)
            text = scope.resolved(one.first()) if one is not None else None
            if one is not None and text is not None and (key != "ca" or verified):
                put(settings, ("instance_tls", key), text, one.at)
        return settings


def _address(written: str, scope: Scope) -> re.Match[str] | None:
    """The parts of an address; its path may have variables that are not known before a request comes."""
    for same in _SAME_PATH:
        written = written.removesuffix(same)
    resolved = scope.resolved(written)
    if resolved is not None:
        return _URL.fullmatch(resolved)
    scheme, _, rest = written.rpartition("://")
    host, slash, uri = rest.partition("/")
    start = scope.resolved(f"{scheme}://{host}" if scheme else host)
    return _URL.fullmatch(f"{start}{slash}{uri}") if start is not None else None


def _leaves(settings: Settings) -> list[tuple[str, Said]]:
    return list(settings.get("instance_tls", {}).items())


def _name(host: str) -> str:
    """A name for what listens there: that of a host that has one, else its port or its socket."""
    if host.startswith("unix:"):
        return re.sub(r"\.sock(et)?$", "", host.rstrip("/").rpartition("/")[2]) or "app"
    name, _, port = host.rpartition(":") if re.search(r":\d+$", host) else (host, "", "")
    if re.fullmatch(r"[\d.]+|\[.*\]|localhost|127\.0\.0\.1|host\.docker\.internal|", name):
        return f"port-{port}" if port else "app"
    return name.partition(".")[0] if name.count(".") else name
