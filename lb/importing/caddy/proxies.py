"""`reverse_proxy` and `php_fastcgi` → backends, and the settings of their routes."""

from __future__ import annotations

import re
from collections.abc import Callable

from lb.importing import values
from lb.importing.caddy.fields import CaddyFields
from lb.importing.caddy.syntax import CaddyLine
from lb.importing.draft import Backend, Said, Settings, put
from lb.importing.omissions import Omissions, Weight

_ADDRESS = re.compile(r"(?:(?P<scheme>[a-z0-9]+)://)?(?P<host>\[[^\]]+\]|[^:/\[\]]*)(?::(?P<port>[^/]+))?/?")
_RANGE = re.compile(r"(\d+)-(\d+)")
_MOST_PORTS = 64
_BALANCES = {
    "random": "power_of_two",
    "random_choose": "power_of_two",
    "least_conn": "least_connections",
    "round_robin": "round_robin",
    "weighted_round_robin": "round_robin",
    "ip_hash": "consistent_hash",
    "client_ip_hash": "consistent_hash",
    "uri_hash": "consistent_hash",
    "header": "consistent_hash",
    "cookie": "sticky",
}
_AS_THEY_ARE = frozenset(("health_uri", "health_port", "health_passes", "health_fails"))
_DURATIONS = {"health_interval": "health_interval", "health_timeout": "health_timeout"}
_PASSIVE = frozenset(("fail_duration", "max_fails", "unhealthy_status", "unhealthy_latency"))
_NOTHING = values.words(
    """
    flush_interval lb_try_interval lb_retries request_buffers response_buffers stream_timeout stream_close_delay
    trusted_proxies max_buffer_size buffer_requests buffer_responses verbose_logs
    """
)
_TRANSPORT_NOTHING = values.words(
    """
    keepalive keepalive_idle_conns keepalive_idle_conns_per_host keepalive_interval compression max_conns_per_host
    read_buffer write_buffer expect_continue_timeout dial_fallback_delay resolvers forward_proxy_url
    max_response_header tls_timeout tls_renegotiation
    """
)
_TRANSPORT_TIMES = {
    "dial_timeout": "connect",
    "response_header_timeout": "response",
    "read_timeout": "read",
    "write_timeout": "read",
}


class ProxyReader:
    """Makes backends: one for each set of addresses and options."""

    def __init__(self, omissions: Omissions, fields: CaddyFields) -> None:
        self._omissions = omissions
        self._fields = fields
        self._backends: dict[str, Backend] = {}

    def read(self, line: CaddyLine, arguments: tuple[str, ...], settings: Settings) -> Backend | None:
        """The backend of a directive; what it says of a route goes into the settings."""
        options = Backend("", [], line.at)
        tls = False
        addresses = [(address, line) for address in arguments]
        for one in line.block or ():
            if one.name == "to":
                addresses += [(address, one) for address in one.rest]
            elif one.name == "transport":
                tls |= self._transport(one, options.settings, settings)
            else:
                self._option(one, options.settings, settings)
        backend = Backend(_name(addresses[0][0]) if addresses else "app", [], line.at, options.settings)
        transport = backend.settings.get("instance_tls", {})
        if "verify" in transport:
            transport.pop("ca", None)  # nothing is verified
        for address, at in addresses:
            self._add(address, at, backend, tls=tls)
        if not backend.instances:
            if not addresses:
                message = f"{line.written()}: no address of an instance is known"
                self._omissions.add(Weight.ROUTING, line.at, message, "name the instances")
            return None
        if line.name == "php_fastcgi":
            message = f"{line.written()}: lb speaks HTTP to apps, and this one speaks FastCGI"
            hint = "start an HTTP server for the app, such as FrankenPHP"
            self._omissions.add(Weight.ROUTING, line.at, message, hint)
            note = "it speaks FastCGI now: lb needs HTTP"
            backend.instances = [Said(one.value, one.at, note) for one in backend.instances]
        key = repr(([one.value for one in backend.instances], _values(backend.settings)))
        return self._backends.setdefault(key, backend)

    def _add(self, address: str, line: CaddyLine, backend: Backend, *, tls: bool) -> None:
        if address.startswith(("unix/", "unix+h2c/")):
            found = [values.instance(f"unix:{address.partition('/')[2]}", "")]
        else:
            found = self._addresses(address, line, tls=tls)
        for text in found:
            if text is None:
                self._omissions.add(Weight.ROUTING, line.at, f"{address} is no address that an instance can have")
            elif all(one.value != text for one in backend.instances):
                backend.instances.append(Said(text, (line.at,)))

    def _addresses(self, address: str, line: CaddyLine, *, tls: bool) -> list[str | None]:
        found = _ADDRESS.fullmatch(address)
        if found is None and values.is_variable(address):
            return [address]
        if found is None or "{" in re.sub(r"\$\{[^}]*\}", "", address):
            return [None]
        scheme = found["scheme"] or ""
        tls = tls or scheme == "https"
        if scheme == "h2c":
            message = f"{address}: instances are spoken to in HTTP/1.1"
            self._omissions.add(Weight.BEHAVIOUR, line.at, message, "have the app speak HTTP/1.1, too")
        port = found["port"] or ("443" if tls else "80")
        between = _RANGE.fullmatch(port)
        ports = [port] if between is None else [str(one) for one in range(int(between[1]), int(between[2]) + 1)]
        return [values.instance(found["host"], one, tls=tls) for one in ports[:_MOST_PORTS]]

    def _option(self, line: CaddyLine, environment: Settings, settings: Settings) -> None:
        name, arguments = line.name, line.rest
        value = arguments[0] if arguments else ""
        special = self._special().get(name)
        if special is not None:
            special(line, environment)
        elif name in ("header_up", "header_down"):
            side = "request" if name == "header_up" else "response"
            self._fields.one(side, arguments, line, settings)
        elif name in _AS_THEY_ARE and value:
            put(environment, (name,), value, line.at)
        elif name in _DURATIONS and values.duration(value):
            put(environment, (name,), values.duration(value), line.at)
        elif name in _PASSIVE:
            self._passive(line, environment)
        elif name == "request_buffers" or name in _NOTHING:
            return
        else:
            closes = name in ("handle_response", "dynamic")
            weight = Weight.ROUTING if closes else Weight.BEHAVIOUR
            self._omissions.add(weight, line.at, f"{line.written()}: lb has no counterpart")

    def _special(self) -> dict[str, Callable[[CaddyLine, Settings], None]]:
        return {
            "lb_policy": self._balance,
            "lb_try_duration": self._patience,
            "health_status": self._health_status,
            "health_path": self._health_path,
        }

    def _balance(self, line: CaddyLine, environment: Settings) -> None:
        policy, *more = line.rest or ("",)
        balance = _BALANCES.get(policy)
        if balance is None:
            hint = "every instance gets requests, and one that fails is passed over" if policy == "first" else ""
            self._omissions.add(Weight.ROUTING, line.at, f"{line.written()}: lb has no counterpart", hint)
            return
        put(environment, ("balance",), balance, line.at)
        if policy == "uri_hash":
            put(environment, ("hash_on",), "uri", line.at)
        if policy == "header" and more:
            put(environment, ("hash_on",), f"header:{more[0]}", line.at)
        if policy == "cookie" and more:
            put(environment, ("sticky_cookie",), more[0], line.at)
        if policy == "weighted_round_robin":
            self._omissions.add(Weight.TUNING, line.at, f"{line.written()}: every instance gets the same share")

    @staticmethod
    def _patience(line: CaddyLine, environment: Settings) -> None:
        length = values.duration(line.rest[0]) if line.rest else None
        if length is not None:
            put(environment, ("retry_for",), length, line.at)

    @staticmethod
    def _health_status(line: CaddyLine, environment: Settings) -> None:
        put(environment, ("health_status",), tuple(line.rest), line.at)

    @staticmethod
    def _health_path(line: CaddyLine, environment: Settings) -> None:
        put(environment, ("health_uri",), line.rest[0] if line.rest else "/", line.at)

    @staticmethod
    def _passive(line: CaddyLine, environment: Settings) -> None:
        value = line.rest[0] if line.rest else ""
        if line.name == "unhealthy_status":
            put(environment, (line.name,), tuple(line.rest), line.at)
        elif line.name == "max_fails" and value.isdecimal():
            put(environment, (line.name,), int(value), line.at)
        elif line.name != "max_fails" and values.duration(value):
            put(environment, (line.name,), values.duration(value), line.at)

    def _transport(self, line: CaddyLine, environment: Settings, settings: Settings) -> bool:
        """Returns whether the instances are spoken to over TLS."""
        tls = False
        if line.rest[:1] == ("fastcgi",):
            message = f"{line.written()}: lb speaks HTTP to apps"
            self._omissions.add(Weight.ROUTING, line.at, message, "start an HTTP server for the app")
            return False
        for one in line.block or ():
            value = one.rest[0] if one.rest else ""
            if one.name.startswith("tls"):
                tls |= self._tls(one, environment)
            elif one.name in _TRANSPORT_TIMES and values.duration(value):
                put(settings, ("timeouts", _TRANSPORT_TIMES[one.name]), values.duration(value), one.at)
            elif one.name == "keepalive" and value == "off":
                put(environment, ("keep_alive",), False, one.at)
            elif one.name == "proxy_protocol" and value in ("v1", "v2"):
                put(environment, ("send_proxy",), value, one.at)
            elif one.name == "versions":
                if "h2c" in one.rest:
                    self._omissions.add(
                        Weight.BEHAVIOUR, one.at, f"{one.written()}: instances are spoken to in HTTP/1.1"
                    )
            elif one.name not in _TRANSPORT_NOTHING:
                self._omissions.add(Weight.BEHAVIOUR, one.at, f"{one.written()}: lb has no counterpart")
        return tls

    def _tls(self, line: CaddyLine, environment: Settings) -> bool:
        value = line.rest[0] if line.rest else ""
        match line.name:
            case "tls_timeout" | "tls_renegotiation":
                return False
            case "tls_insecure_skip_verify":
                put(environment, ("instance_tls", "verify"), False, line.at)
            case "tls_server_name":
                put(environment, ("instance_tls", "server_name"), value, line.at)
            case "tls_trusted_ca_certs":
                put(environment, ("instance_tls", "ca"), value, line.at)
            case "tls_trust_pool" if line.rest[:1] == ("file",) and len(line.rest) == 2:
                put(environment, ("instance_tls", "ca"), line.rest[1], line.at)
            case "tls_client_auth" if len(line.rest) == 2:
                put(environment, ("instance_tls", "cert"), line.rest[0], line.at)
                put(environment, ("instance_tls", "key"), line.rest[1], line.at)
            case "tls":
                pass
            case _:
                self._omissions.add(Weight.BEHAVIOUR, line.at, f"{line.written()}: lb has no counterpart")
        return True


def address_url(address: str, uri: str) -> str | None:
    """The URL of what `forward_auth` asks."""
    found = _ADDRESS.fullmatch(address)
    if found is None or address.startswith("unix"):
        return None
    scheme = "https" if found["scheme"] == "https" else "http"
    host = values.instance(found["host"], found["port"] or ("443" if scheme == "https" else "80"))
    return f"{scheme}://{host}{uri}" if host is not None else None


def _values(settings: Settings) -> object:
    return {key: _values(one) if isinstance(one, dict) else one.value for key, one in settings.items()}


def _name(address: str) -> str:
    """A name for what listens there: that of a host that has one, else its port or its socket."""
    if address.startswith("unix"):
        return re.sub(r"\.sock(et)?$", "", address.rpartition("/")[2]) or "app"
    host, _, port = address.rpartition("://")[2].partition("/")[0].rpartition(":")
    host = host or port
    if re.fullmatch(r"[\d.]+|\[.*\]|localhost|host\.docker\.internal|", host):
        return f"port-{port}" if port.isdecimal() else "app"
    return host.partition(".")[0]
