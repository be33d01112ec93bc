"""The servers of nginx → the sites of a draft: where they listen, their names, what holds for all paths.

Several servers may have one name, on different ports: one that only redirects to HTTPS becomes `force_https`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lb.importing import values
from lb.importing.draft import DraftDomain, Rule, Said, Site, get, put
from lb.importing.nginx.locations import LocationReader, Readers
from lb.importing.nginx.names import host_redirects, names_of
from lb.importing.nginx.scope import Scope
from lb.importing.nginx.syntax import Directive
from lb.importing.omissions import Weight
from lb.importing.source_line import SourceLine

_CATCH_ALL = "*"
_TO_HTTPS = ("https://{host}{path}", "https://{hostport}{path}")


@dataclass(slots=True)
class _Server:
    """One server while it is read: `tls` says that it listens with TLS, `plain` that it listens without."""

    site: Site
    scope: Scope
    tls: bool = False
    plain: bool = False
    is_default: bool = False
    forced: set[str] = field(default_factory=set)  # names that are redirected to HTTPS by an `if`


class ServerReader:
    """Reads all servers of a configuration into a draft."""

    def __init__(self, readers: Readers, http: Scope) -> None:
        self._readers = readers
        self._draft = readers.draft
        self._omissions = readers.omissions
        self._http = http

    def read(self) -> None:
        servers = [self._begun(one) for one in self._http.own("server")]
        for server in servers:
            self._fill(server)
        served = [server for server in servers if server.tls]
        forced: dict[str, tuple[SourceLine, ...]] = {}
        for server in servers:
            if not server.tls and self._only_leads_to_https(server, forced, bool(served)):
                server.site.domains.clear()
        for server in (*served, *(one for one in servers if not one.tls)):
            self._finish(server, forced)
        self._draft.sites[:] = [site for site in self._draft.sites if site.domains]

    def _begun(self, directive: Directive) -> _Server:
        scope = self._http.inner(directive)
        server = _Server(Site("app", directive.at), scope)
        listens = scope.own("listen")
        if not listens:
            self._draft.listen(":80", directive.at, tls=False)
            server.plain = True
        for one in listens:
            self._listen(one, server)
        found = names_of(scope, directive, self._omissions)
        if server.is_default or not scope.own("server_name"):
            at = next((one.at for one in listens if "default_server" in one.arguments), directive.at)
            found.setdefault(_CATCH_ALL, at)
        server.site.domains = [DraftDomain(name, (at,)) for name, at in found.items()]
        named = [name for name in found if name != _CATCH_ALL]
        server.site.name = _site_name(named[0]) if named else "default"
        return server

    def _listen(self, directive: Directive, server: _Server) -> None:
        options = directive.arguments[1:]
        on = server.scope.one("ssl")
        tls = "ssl" in options or "quic" in options or (on is not None and on.first() == "on")
        server.tls |= tls
        server.plain |= not tls
        server.is_default |= "default_server" in options or "default" in options
        if "proxy_protocol" in options:
            put(self._draft.top, ("listen", "proxy_protocol"), True, directive.at)
        if "quic" in options:
            self._omissions.add(Weight.TUNING, directive.at, f"{directive.written()}: lb does not speak HTTP/3")
            return
        written = directive.first()
        if written.isdecimal():
            written = f":{written}"
        elif not written.rpartition(":")[2].isdecimal():
            written = f"{written}:80"
        address = values.listen_address(written)
        if address is None:
            self._omissions.add(Weight.ROUTING, directive.at, f"{directive.written()}: lb listens on IP addresses")
        else:
            self._draft.listen(address, directive.at, tls=tls)

    def _fill(self, server: _Server) -> None:
        site, scope, readers = server.site, server.scope, self._readers
        readers.fields.read(scope, site.settings, inherited=True)
        readers.limits.of_server(scope, site.settings, self._draft.top)
        self._conditions(server)
        reader = LocationReader(readers, scope, site)
        site.rules = reader.rules()
        reader.pages.read(scope.all("error_page"), site.settings, scope)
        header = scope.one("real_ip_header")
        if header is not None and scope.all("set_real_ip_from"):
            put(site.settings, ("client_from",), "forwarded", header.at)
        self._certificates(server)

    def _conditions(self, server: _Server) -> None:
        for one in server.scope.own("if"):
            found = host_redirects(one, server.scope.inner(one), [domain.name for domain in server.site.domains])
            if found is None:
                message = f"{one.written()}: a condition of nginx has no counterpart"
                hint = "write a route with method, header or query"
                returned = server.scope.inner(one).own_one("return")
                refuses = returned is not None and returned.first().startswith("4")
                self._omissions.add(Weight.ACCESS if refuses else Weight.ROUTING, one.at, message, hint)
                continue
            for name, target in found.items():
                for domain in server.site.domains:
                    if domain.name == name and target is None:
                        put(domain.settings, ("force_https",), True, one.at)
                    elif domain.name == name:
                        put(domain.settings, ("redirect",), target, one.at)

    def _certificates(self, server: _Server) -> None:
        scope = server.scope
        cert, key = scope.one("ssl_certificate"), scope.one("ssl_certificate_key")
        if cert is not None and key is not None and server.tls:
            files = scope.resolved(cert.first()), scope.resolved(key.first())
            if None in files:
                self._omissions.add(Weight.ROUTING, cert.at, f"{cert.written()}: the file depends on the request")
            else:
                self._add_pair(str(files[0]), str(files[1]), cert, key)
        verify, ca = scope.one("ssl_verify_client"), scope.one("ssl_client_certificate")
        if verify is None or verify.first() == "off" or ca is None:
            return
        for domain in server.site.domains:
            put(domain.settings, ("client_ca",), ca.first(), ca.at)
            if verify.first() == "optional":
                put(domain.settings, ("client_auth",), "optional", verify.at)
            elif verify.first() == "optional_no_ca":
                self._omissions.add(Weight.ACCESS, verify.at, f"{verify.written()}: certificates are always verified")

    def _add_pair(self, cert: str, key: str, *at: Directive) -> None:
        pairs = self._draft.top.setdefault("tls", {}).setdefault("certificates", [])
        pair = {"cert": Said(cert, (at[0].at,)), "key": Said(key, (at[1].at,))}
        if all(one.value["cert"].value != cert for one in pairs):
            pairs.append(Said(pair))

    def _only_leads_to_https(self, server: _Server, forced: dict[str, tuple[SourceLine, ...]], served: bool) -> bool:
        """Whether a server without TLS only redirects to the same names over HTTPS, which is served here."""
        rule = _redirect_of_all(server.site)
        target = get(rule.settings, "redirect") if rule is not None else None
        names = [domain.name for domain in server.site.domains]
        if rule is None or target is None or not served:
            return False
        own = (*_TO_HTTPS, *(f"https://{name}{{path}}" for name in names[:1] if len(names) == 1))
        if str(target.value) not in own:
            return False
        for name in names:
            forced[name] = (rule.at,)
        return True

    def _finish(self, server: _Server, forced: dict[str, tuple[SourceLine, ...]]) -> None:
        site = server.site
        rule = _redirect_of_all(site)
        target = get(rule.settings, "redirect") if rule is not None else None
        other = str(target.value).partition("://")[2].removesuffix("{path}") if target is not None else ""
        if rule is not None and target is not None and values.domain(other) and target.value.endswith("{path}"):
            for domain in site.domains:
                if domain.name not in (_CATCH_ALL, other):
                    put(domain.settings, ("redirect",), other, rule.at)
        for domain in site.domains:
            at = forced.get(domain.name) or (forced.get(_CATCH_ALL) if server.tls else None)
            if at is not None and (server.tls or "redirect" in domain.settings):
                domain.settings["force_https"] = Said(value=True, at=at)
            elif server.tls and not server.plain and self._draft.http and "force_https" not in domain.settings:
                domain.settings["force_https"] = Said(value=True, note="nginx serves it over HTTPS only")
        self._draft.sites.append(site)


def _redirect_of_all(site: Site) -> Rule | None:
    """The rule of a site that has no other."""
    return site.rules[0] if len(site.rules) == 1 and site.rules[0].condition.is_everything else None


def _site_name(name: str) -> str:
    labels = name.removeprefix("*.").removeprefix("www.").removeprefix("stg-").split(".")
    return labels[0]
