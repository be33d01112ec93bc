"""The global options of a Caddyfile → what stands at the top of a file of lb."""

from __future__ import annotations

from dataclasses import dataclass

from lb.importing import values
from lb.importing.caddy.matchers import networks
from lb.importing.caddy.syntax import CaddyLine
from lb.importing.draft import Draft, Said, put
from lb.importing.omissions import Omissions, Weight
from lb.importing.source_line import SourceLine
from lb.importing.values import words

_LARGEST_HEAD = 16 << 20
_NOTHING = words(
    """debug log order storage admin persist_config skip_install_trust local_certs metrics ocsp_stapling ocsp_interval
    cert_lifetime renew_interval default_sni fallback_sni shutdown_delay storage_clean_interval filesystem pki events
    frankenphp key_type preferred_chains dns import renewal_window_ratio"""
)
_SERVER_NOTHING = words(
    """
    protocols protocol strict_sni_host metrics log_credentials keepalive_interval name trace enable_full_duplex
    trusted_proxies_strict client_ip_headers allow_h2c experimental_http3
    """
)
_OF_ACME = {"acme_dns": "write tls.acme.dns_hook, a command that sets the record"}
_TIMEOUTS = {"read_body": "read", "read_header": "head", "write": "read", "idle": "idle"}


@dataclass(slots=True)
class CaddyOptions:
    """What the options say of sites: ports, whether HTTPS is automatic, whether clients are named by proxies."""

    http_port: str = "80"
    https_port: str = "443"
    auto_https: bool = True
    redirects: bool = True
    client_from: SourceLine | None = None
    email: Said | None = None
    directory: Said | None = None


class OptionReader:
    """Reads the global options."""

    def __init__(self, draft: Draft, omissions: Omissions) -> None:
        self._draft = draft
        self._omissions = omissions
        self.found = CaddyOptions()

    def read(self, lines: list[CaddyLine]) -> CaddyOptions:
        for line in lines:
            self._one(line)
        return self.found

    def _one(self, line: CaddyLine) -> None:
        value = line.rest[0] if line.rest else ""
        match line.name:
            case "email":
                self.found.email = Said(value, (line.at,))
            case "acme_ca":
                self.found.directory = Said(value, (line.at,))
            case "http_port" | "https_port" | "auto_https":
                self._ports(line.name, value)
            case "servers":
                for one in line.block or ():
                    self._server(one)
            case "on_demand_tls":
                self._on_demand(line)
            case "grace_period" if values.duration(value):
                put(self._draft.top, ("timeouts", "drain"), values.duration(value), line.at)
            case "acme_dns" | "cert_issuer" | "acme_eab" | "acme_ca_root":
                self._omit(Weight.ROUTING, line, _OF_ACME.get(line.name, "see tls.acme"))
            case name if name not in _NOTHING:
                known = not values.is_variable(name)
                hint = "" if known else f"write into the file what {name} stands for"
                self._omit(Weight.BEHAVIOUR if known else Weight.ROUTING, line, hint)

    def _ports(self, name: str, value: str) -> None:
        if name == "http_port":
            self.found.http_port = value
        elif name == "https_port":
            self.found.https_port = value
        else:
            self.found.auto_https = value != "off"
            self.found.redirects = value not in ("off", "disable_redirects")

    def _server(self, line: CaddyLine) -> None:
        value = line.rest[0] if line.rest else ""
        match line.name:
            case "trusted_proxies":
                self._trusted(line)
            case "timeouts":
                for one in line.block or ():
                    key = _TIMEOUTS.get(one.name)
                    length = values.duration(one.rest[0]) if one.rest else None
                    if key is not None and length is not None:
                        put(self._draft.top, ("timeouts", key), length, one.at)
            case "max_header_size":
                self._head_size(line, value)
            case "listener_wrappers":
                self._wrappers(line)
            case name if name not in _SERVER_NOTHING:
                self._omit(Weight.BEHAVIOUR, line, "")

    def _trusted(self, line: CaddyLine) -> None:
        found = networks(line.rest[1:]) if line.rest[:1] == ("static",) else None
        if line.rest == ("static", "private_ranges"):
            found = ("private",)
        if found is None:
            if line.rest[:1] in (("cloudflare",), ("fastly",)):
                found = line.rest[:1]
            else:
                self._omit(Weight.BEHAVIOUR, line, "write the networks into trusted_proxies")
                return
        self._draft.top["trusted_proxies"] = Said(found, (line.at,))
        self.found.client_from = line.at

    def _head_size(self, line: CaddyLine, value: str) -> None:
        size = values.size(value, decimal=True)
        if size is None:
            return
        if size.isdecimal() and int(size) > _LARGEST_HEAD:
            self._omit(Weight.TUNING, line, "limits.header_total goes up to 16M")
            size = "16M"
        put(self._draft.top, ("limits", "header_total"), size, line.at)

    def _wrappers(self, line: CaddyLine) -> None:
        for one in line.block or ():
            if one.name == "proxy_protocol":
                put(self._draft.top, ("listen", "proxy_protocol"), True, one.at)
                allowed = [word for inner in one.block or () if inner.name == "allow" for word in inner.rest]
                found = networks(tuple(allowed))
                if found and "trusted_proxies" not in self._draft.top:
                    self._draft.top["trusted_proxies"] = Said(found, (one.at,))
            elif one.name not in ("tls", "http_redirect"):
                self._omit(Weight.BEHAVIOUR, one, "")

    def _on_demand(self, line: CaddyLine) -> None:
        for one in line.block or ():
            if one.name == "ask" and one.rest:
                put(self._draft.top, ("tls", "on_demand", "ask"), one.rest[0], one.at)
            else:
                self._omit(Weight.TUNING, one, "")

    def _omit(self, weight: Weight, line: CaddyLine, hint: str) -> None:
        self._omissions.add(weight, line.at, f"{line.written()}: lb has no counterpart", hint)
