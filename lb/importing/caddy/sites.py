"""The sites of a Caddyfile: their addresses and certificates → domains, listeners and `tls`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lb.config.names import is_local
from lb.importing import values
from lb.importing.caddy.answers import AnswerMaker
from lb.importing.caddy.blocks import BlockReader, Found
from lb.importing.caddy.changes import ChangeMaker
from lb.importing.caddy.fields import CaddyFields
from lb.importing.caddy.options import CaddyOptions
from lb.importing.caddy.proxies import ProxyReader
from lb.importing.caddy.syntax import CaddyLine
from lb.importing.draft import Draft, DraftDomain, Rule, Said, Site, copied, get, put
from lb.importing.omissions import Omissions, Weight
from lb.importing.source_line import SourceLine

_ADDRESS = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<host>\[[^\]]*\]|\$\{[^}]*\}|[^:/]*)(?::(?P<port>\d+))?(?P<path>/.*)?"
)
_CATCH_ALL = "*"


@dataclass(frozen=True, slots=True)
class _Address:
    name: str
    tls: bool
    port: str
    at: SourceLine


class SiteReader:
    """Reads sites into a draft."""

    def __init__(self, draft: Draft, options: CaddyOptions, omissions: Omissions) -> None:
        self._draft = draft
        self._options = options
        self._omissions = omissions
        fields = CaddyFields(omissions)
        self._answers = AnswerMaker(ProxyReader(omissions, fields), omissions)
        self._changes = ChangeMaker(draft, fields, omissions)
        self._needs_acme: SourceLine | None = None

    def read(self, sites: list[CaddyLine]) -> None:
        for line in sites:
            self._site(line)
        if self._needs_acme is not None:
            self._acme(self._needs_acme)

    def _site(self, line: CaddyLine) -> None:
        words = [word for part in line.words for word in part.split(",") if word]
        addresses = [one for word in words if (one := self._address(word, line)) is not None]
        if not addresses:
            return
        named = [one.name for one in addresses if one.name != _CATCH_ALL]
        site = Site(_site_name(named[0]) if named else "default", line.at)
        block = line.block or ()
        binds = [word for one in block if one.name == "bind" for word in one.rest] or [""]
        automatic = self._tls(block, addresses)
        for one in addresses:
            self._listen(one, site, binds)
            if one.tls and automatic and one.name != _CATCH_ALL and not _is_local(one.name):
                self._needs_acme = self._needs_acme or line.at
        if self._options.client_from is not None:
            put(site.settings, ("client_from",), "forwarded", self._options.client_from)
        found = BlockReader(self._answers, self._changes, self._omissions, site.settings).read(block)
        self._draft.sites += _by_host(site, found)

    def _address(self, word: str, line: CaddyLine) -> _Address | None:
        found = _ADDRESS.fullmatch(word)
        if found is None:
            self._omissions.add(Weight.ROUTING, line.at, f"{word} is no address that a site of lb can have")
            return None
        if found["path"] not in (None, "/"):
            message = f"{word}: a site has all paths of its name"
            self._omissions.add(Weight.ROUTING, line.at, message, "write its rules as routes with that path")
            return None
        host, port, scheme = found["host"], found["port"], found["scheme"]
        name = _CATCH_ALL if host in ("", "*", "0.0.0.0", "[::]") else values.domain(host)  # noqa: S104 - compared
        if name is None:
            self._omissions.add(Weight.ROUTING, line.at, f"{word} is no name that can be bound")
            return None
        if values.is_variable(host):
            hint = "it is a domain in lb: a scheme or a port in it has no meaning"
            self._omissions.add(Weight.TUNING, line.at, f"{word}: {host} must be a name", hint)
        options = self._options
        plain = scheme == "http" or port == options.http_port or (scheme is None and name == _CATCH_ALL)
        tls = not plain and (options.auto_https or scheme == "https")
        default = options.https_port if tls else options.http_port
        return _Address(name, tls, port or default, line.at)

    def _listen(self, one: _Address, site: Site, binds: list[str]) -> None:
        for bind in binds:
            host = f"[{bind}]" if ":" in bind and not bind.startswith("[") else bind
            address = values.listen_address(f"{host}:{one.port}")
            if address is None:
                self._omissions.add(Weight.ROUTING, one.at, f"lb does not listen on {bind}:{one.port}")
                continue
            tls = one.tls or (one.name == _CATCH_ALL and one.port == self._options.https_port)
            self._draft.listen(address, one.at, tls=tls)
            if tls and self._options.redirects and one.port == self._options.https_port:
                plain = values.listen_address(f"{host}:{self._options.http_port}")
                self._draft.listen(plain or ":80", one.at, tls=False)
        domain = next((known for known in site.domains if known.name == one.name), None)
        if domain is None:
            domain = DraftDomain(one.name, (one.at,))
            site.domains.append(domain)
            if one.tls and self._options.redirects:
                domain.settings["force_https"] = Said(value=True, note="Caddy redirects by itself")
        elif not one.tls:
            domain.settings.pop("force_https", None)  # it is served over HTTP, too

    def _tls(self, block: tuple[CaddyLine, ...], addresses: list[_Address]) -> bool:
        """Returns whether certificates are obtained from a CA."""
        automatic = True
        for one in (line for line in block if line.name == "tls"):
            match one.rest:
                case ("internal",):
                    automatic = False
                    if not all(_is_local(address.name) for address in addresses):
                        message = "tls internal: lb signs only for local names by itself"
                        hint = "put a certificate into the store with lb certs import"
                        self._omissions.add(Weight.ROUTING, one.at, message, hint)
                        self._draft.top.setdefault("tls", {}).setdefault("store", Said("certs", (one.at,)))
                case (cert, key):
                    automatic = False
                    pair = {"cert": Said(cert, (one.at,)), "key": Said(key, (one.at,))}
                    self._draft.top.setdefault("tls", {}).setdefault("certificates", []).append(Said(pair))
                case (email,) if "@" in email:
                    self._options.email = self._options.email or Said(email, (one.at,))
            for inner in one.block or ():
                self._tls_option(inner, addresses)
        return automatic

    def _tls_option(self, line: CaddyLine, addresses: list[_Address]) -> None:
        match line.name:
            case "client_auth":
                message = f"{line.written()}: clients' certificates are not read"
                hint = "write client_ca: FILE on the domain"
                self._omissions.add(Weight.ACCESS, line.at, message, hint)
            case "on_demand":
                if not any(address.name.startswith("*.") for address in addresses):
                    message = "on_demand: certificates on demand are for names under a bound wildcard"
                    self._omissions.add(Weight.ROUTING, line.at, message, 'bind one, such as "*.example.com"')
            case "dns":
                message = f"{line.written()}: lb runs a command of yours for DNS-01"
                self._omissions.add(Weight.ROUTING, line.at, message, "write tls.acme.dns_hook")
            case "ca":
                self._options.directory = self._options.directory or Said(line.rest[0], (line.at,))
            case "protocols" | "ciphers" | "curves" | "alpn" | "key_type" | "load" | "issuer" | "resolvers":
                if line.name in ("load", "issuer"):
                    self._omissions.add(Weight.ROUTING, line.at, f"{line.written()}: see tls.acme and tls.certificates")

    def _acme(self, at: SourceLine) -> None:
        acme = self._draft.top.setdefault("tls", {}).setdefault("acme", {})
        if self._options.email is not None:
            acme["email"] = self._options.email
        if self._options.directory is not None:
            acme["directory"] = self._options.directory
        acme["agree_to_terms"] = Said(value=True, at=(at,), note="as Caddy does: to those of the CA")


def _by_host(site: Site, found: list[Found]) -> list[Site]:
    """A site whose matchers name hosts is a site for each of them, and one for the other names."""
    hosts = dict.fromkeys(host for one in found for host in one.hosts)
    bound = {domain.name: domain for domain in site.domains}
    sites: list[Site] = []
    for host in hosts:
        name = values.domain(host)
        if name is None:
            continue
        domain = bound.get(name) or DraftDomain(name, site.domains[0].at, copied(site.domains[0].settings))
        rules = [_copy(one.rule) for one in found if not one.hosts or host in one.hosts]
        sites.append(Site(_site_name(name), site.at, [domain], rules, copied(site.settings)))
    rest = [domain for domain in site.domains if domain.name not in hosts]
    rules = [one.rule for one in found if not one.hosts]
    if rest and (rules or not hosts):
        _redirected(rest, rules)
        sites.append(Site(site.name, site.at, rest, rules, site.settings))
    return sites


def _redirected(domains: list[DraftDomain], rules: list[Rule]) -> None:
    """A site that only redirects to another name is a domain with `redirect`."""
    target = get(rules[0].settings, "redirect") if len(rules) == 1 and rules[0].condition.is_everything else None
    if target is None:
        return
    scheme, _, rest = str(target.value).partition("://")
    other = rest.removesuffix("{path}")
    if scheme in ("http", "https", "{scheme}") and rest.endswith("{path}") and values.domain(other):
        for domain in domains:
            if domain.name not in (_CATCH_ALL, other):
                put(domain.settings, ("redirect",), other, rules[0].at)


def _copy(rule: Rule) -> Rule:
    return Rule(rule.condition, rule.at, rule.backend, copied(rule.settings), rule.note)


def _is_local(name: str) -> bool:
    return not values.is_variable(name) and is_local(name)


def _site_name(name: str) -> str:
    if values.is_variable(name):
        return re.sub(r"\W+", "-", re.sub(r".*\$\{(\w+).*", r"\1", name)).removesuffix("_ADDRESS") or "site"
    return name.removeprefix("*.").removeprefix("www.").removeprefix("stg-").partition(".")[0]
