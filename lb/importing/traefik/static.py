"""Traefik's static settings: entry points, resolvers of certificates, proxies in front."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lb.importing import values
from lb.importing.draft import Draft, Said, put
from lb.importing.omissions import Omissions, Weight
from lb.importing.source_line import SourceLine
from lb.importing.traefik.settings_tree import Branch

_HTTPS_NAMES = re.compile(r"https|secure|tls|443")
_TIMES = {"readtimeout": "read", "writetimeout": "read", "idletimeout": "idle"}


@dataclass(slots=True)
class EntryPoint:
    """Where Traefik listens: `forces` is the line that redirects all of it to HTTPS."""

    name: str
    address: str
    at: SourceLine
    forces: SourceLine | None = None
    tls: bool = False
    forwarded: SourceLine | None = None


class StaticReader:
    """Reads static settings into a draft."""

    def __init__(self, tree: Branch, draft: Draft, omissions: Omissions) -> None:
        self._tree = tree
        self._draft = draft
        self._omissions = omissions

    def entry_points(self) -> dict[str, EntryPoint]:
        """The entry points by name."""
        found: dict[str, EntryPoint] = {}
        points = self._tree.get("entrypoints")
        for name, branch in points.below.items() if points is not None else ():
            text = branch.text("address")
            if text.endswith("/udp"):
                self._omissions.add(Weight.ROUTING, branch.at, f"the entry point {name} is UDP: lb speaks HTTP")
                continue
            address = values.listen_address(text.removesuffix("/tcp"))
            if address is None:
                self._omissions.add(Weight.ROUTING, branch.at, f"the entry point {name} listens on {text}")
                continue
            point = EntryPoint(name, address, branch.at)
            redirect = branch.get("http.redirections.entrypoint.to")
            point.forces = redirect.at if redirect is not None else None
            point.tls = branch.get("http.tls") is not None
            self._trusted(branch, point)
            self._times(branch)
            found[name] = point
        return found

    def guessed(self, name: str, at: SourceLine) -> EntryPoint:
        """An entry point that is not defined here: most have the names and ports that Traefik's own pages show."""
        tls = _HTTPS_NAMES.search(name) is not None
        message = f"the entry point {name} is not defined here; port {443 if tls else 80} is assumed"
        self._omissions.add(Weight.TUNING, at, message, "see listen")
        return EntryPoint(name, ":443" if tls else ":80", at)

    def top(self) -> None:
        """What stands at the top of lb's file."""
        log = self._tree.get("accesslog")
        if log is not None and log.value != "false":
            self._draft.top["access_log"] = Said(
                "json" if log.text("format") == "json" else "combined", (log.at,), "on standard output"
            )
        if self._tree.is_on("api.dashboard") or self._tree.is_on("api.insecure"):
            branch = self._tree.get("api")
            at = branch.at if branch is not None else self._tree.at
            hint = "write admin: 127.0.0.1:9180; it has /status and /metrics"
            self._omissions.add(Weight.TUNING, at, "Traefik's dashboard has no counterpart", hint)

    def acme(self, resolver: str, at: SourceLine) -> None:
        """Certificates of a resolver."""
        branch = self._tree.get(f"certificatesresolvers.{resolver.lower()}.acme")
        acme = self._draft.top.setdefault("tls", {}).setdefault("acme", {})
        if branch is not None and branch.text("email"):
            acme.setdefault("email", Said(branch.text("email"), (branch.below["email"].at,)))
        if branch is not None and branch.text("caserver"):
            acme.setdefault("directory", Said(branch.text("caserver"), (branch.below["caserver"].at,)))
        challenge = branch.get("dnschallenge") if branch is not None else None
        if challenge is not None:
            message = f"dnsChallenge {challenge.text('provider')}: lb runs a command of yours for DNS-01"
            self._omissions.add(Weight.ROUTING, challenge.at, message, "write tls.acme.dns_hook")
        acme.setdefault("agree_to_terms", Said(value=True, at=(at,), note="as Traefik does: to those of the CA"))

    def certificates(self) -> bool:
        """Whether certificates of files are named."""
        pairs = self._tree.get("tls.certificates")
        for pair in pairs.below.values() if pairs is not None else ():
            cert, key = pair.get("certfile"), pair.get("keyfile")
            if cert is not None and key is not None:
                said = {"cert": Said(cert.value, (cert.at,)), "key": Said(key.value, (key.at,))}
                self._draft.top.setdefault("tls", {}).setdefault("certificates", []).append(Said(said))
        return pairs is not None

    def _trusted(self, branch: Branch, point: EntryPoint) -> None:
        for path in ("forwardedheaders.trustedips", "proxyprotocol.trustedips"):
            items = branch.items(path)
            networks = {values.network(text): at for text, at in items}
            if not items:
                continue
            trusted: list[Said] = self._draft.top.setdefault("trusted_proxies", [])
            known = {one.value for one in trusted}
            trusted += [Said(text, (at,)) for text, at in networks.items() if text is not None and text not in known]
            if path.startswith("proxy"):
                put(self._draft.top, ("listen", "proxy_protocol"), True, items[0][1])
            else:
                point.forwarded = items[0][1]
        insecure = branch.get("forwardedheaders.insecure")
        if insecure is not None and insecure.value != "false":
            message = "forwardedHeaders.insecure: lb believes only proxies that are named"
            self._omissions.add(Weight.BEHAVIOUR, insecure.at, message, "write trusted_proxies and client_from")

    def _times(self, branch: Branch) -> None:
        for key, mine in _TIMES.items():
            one = branch.get(f"transport.respondingtimeouts.{key}")
            length = values.duration(one.value) if one is not None else None
            if one is not None and length is not None:
                put(self._draft.top, ("timeouts", mine), length, one.at)
