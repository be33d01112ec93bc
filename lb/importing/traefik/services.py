"""Traefik's services → backends: the containers of a compose service, or the URLs of a file."""

from __future__ import annotations

import re

from lb.importing import values
from lb.importing.draft import Backend, Said, Settings, put
from lb.importing.omissions import Omissions, Weight
from lb.importing.traefik.compose_file import ComposeService
from lb.importing.traefik.settings_tree import Branch

_URL = re.compile(r"(?P<scheme>https?|h2c)://(?P<host>\[[^\]]+\]|[^/:]+)(?::(?P<port>\d+))?/?")
_HEALTH = {"path": "health_uri", "port": "health_port", "interval": "health_interval", "timeout": "health_timeout"}
_READ = (
    "server",
    "servers",
    "healthcheck",
    "sticky",
    "passhostheader",
    "responseforwarding",
    "serverstransport",
    "strategy",
)


class ServiceReader:
    """Makes backends of services, each once."""

    def __init__(self, tree: Branch, omissions: Omissions) -> None:
        self._tree = tree
        self._omissions = omissions
        self._backends: dict[str, Backend | None] = {}

    def of_container(self, service: ComposeService, name: str) -> Backend | None:
        """The backend of a service that labels of a container name; `name` may be ""."""
        key = f"{service.name}/{name}"
        if key not in self._backends:
            balancer = service.labels.get(f"http.services.{name.lower()}.loadbalancer") if name else None
            self._backends[key] = self._container(service, balancer)
        return self._backends[key]

    def of_file(self, name: str, at: Branch) -> Backend | None:
        """The backend of a service that a file defines."""
        bare = name.partition("@")[0]
        if bare not in self._backends:
            service = self._tree.get(f"http.services.{bare.lower()}")
            balancer = service.get("loadbalancer") if service is not None else None
            if balancer is None:
                kind = ", ".join(service.below) if service is not None else "not defined here"
                self._omissions.add(Weight.ROUTING, at.at, f"the service {name} has no counterpart ({kind})")
                self._backends[bare] = None
            else:
                self._backends[bare] = self._named(bare, balancer)
        return self._backends[bare]

    def _container(self, service: ComposeService, balancer: Branch | None) -> Backend | None:
        labelled = balancer.get("server.port") if balancer is not None else None
        at = labelled.at if labelled is not None else service.at
        port = labelled.value if labelled is not None else ""
        if not port:
            port = str(min(service.ports, default=80))
            if not service.ports:
                message = f"{service.name}: the port of its containers is not written here; 80 is assumed"
                hint = "write the port into instances, as EXPOSE of its image has it"
                self._omissions.add(Weight.ROUTING, service.at, message, hint)
        tls = balancer is not None and balancer.text("server.scheme") == "https"
        backend = Backend(service.name, [], at)
        text = values.instance(service.name, port, tls=tls)
        if text is None:
            self._omissions.add(Weight.ROUTING, at, f"{service.name}:{port} is no address that an instance can have")
        else:
            backend.instances.append(Said(text, (at,)))
        if tls:
            put(backend.settings, ("instance_tls", "verify"), True, at)
        if balancer is not None:
            self._options(balancer, backend.settings)
        return backend if backend.instances else None

    def _named(self, name: str, balancer: Branch) -> Backend | None:
        backend = Backend(name, [], balancer.at)
        servers = balancer.get("servers")
        for server in servers.below.values() if servers is not None else ():
            url = server.text("url")
            found = _URL.fullmatch(url)
            tls = found is not None and found["scheme"] == "https"
            port = (found["port"] or ("443" if tls else "80")) if found is not None else ""
            text = values.instance(found["host"], port, tls=tls) if found is not None else None
            if text is None:
                self._omissions.add(Weight.ROUTING, server.at, f"{url} is no address that an instance can have")
            elif all(one.value != text for one in backend.instances):
                backend.instances.append(Said(text, (server.at,)))
        self._options(balancer, backend.settings)
        return backend if backend.instances else None

    def _options(self, balancer: Branch, settings: Settings) -> None:
        check = balancer.get("healthcheck")
        for key, one in check.below.items() if check is not None else ():
            mine = _HEALTH.get(key)
            value = values.duration(one.value) if key in ("interval", "timeout") else one.value
            if mine is not None and value:
                put(settings, (mine,), value, one.at)
            elif key not in ("scheme", "followredirects", "mode"):
                self._omissions.add(Weight.TUNING, one.at, f"healthcheck.{key} has no counterpart")
        sticky = balancer.get("sticky.cookie") or balancer.get("sticky")
        if sticky is not None and sticky.value != "false":
            put(settings, ("balance",), "sticky", sticky.at)
            if sticky.text("name"):
                put(settings, ("sticky_cookie",), sticky.text("name"), sticky.at)
        if balancer.text("passhostheader") == "false":
            message = "passHostHeader: false: apps get the client's own Host"
            self._omissions.add(Weight.BEHAVIOUR, balancer.at, message, "let the app accept that name")
        if balancer.text("strategy") == "p2c":
            put(settings, ("balance",), "power_of_two", balancer.at)
        for key, one in balancer.below.items():
            if key not in _READ:
                self._omissions.add(Weight.TUNING, one.at, f"loadBalancer.{key} has no counterpart")
