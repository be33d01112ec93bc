"""Rules about proxies in front: whom they speak for, whether they are trusted, and what browsers are told about HTTPS.

They have the same form as those in rules.py, which runs them.
"""

from __future__ import annotations

from collections.abc import Iterator

from lb.config.hsts import YEAR
from lb.config.model import Domain
from lb.config.problems import KeyPath, Problem
from lb.config.rule_context import RuleContext

_FORWARDED = "forwarded"


def _names_client(scene: RuleContext, path: KeyPath, domain: Domain) -> bool:
    """Whether trusted proxies name the client on this domain; `path` is the domain's."""
    own = domain.client_from
    return (own if own is not None else scene.config.apps[str(path[1])].client_from) == _FORWARDED


def _redirects_go_by_the_proxy(scene: RuleContext) -> Iterator[Problem]:
    for path, domain in scene.domains():
        if domain.force_https and (domain.cdn or _names_client(scene, path, domain)):
            who = "CDN" if domain.cdn else "proxy"
            message = f"{domain.name} redirects according to the {who}'s X-Forwarded-Proto; without that field, never"
            hint = f"make the {who} send X-Forwarded-Proto, or let the {who} redirect and remove force_https here"
            yield scene.origin.problem((*path, "force_https"), message, hint, "warning")


def _speakers(scene: RuleContext) -> Iterator[KeyPath]:
    """The keys that let trusted proxies speak for clients."""
    for path, domain in scene.domains():
        if domain.cdn:
            yield (*path, "cdn")
        if domain.client_from == _FORWARDED:
            yield (*path, "client_from")
    for name, app in scene.config.apps.items():
        if app.client_from == _FORWARDED:
            yield "apps", name, "client_from"


def _proxies_are_trusted(scene: RuleContext) -> Iterator[Problem]:
    config = scene.config
    speakers = list(_speakers(scene))
    known = scene.is_certain("trusted_proxies")
    if speakers and not config.trusted_proxies and known:
        first = speakers[0]
        message = "client_from is forwarded, but no proxy is trusted: the other end of the connection is the client"
        hint = "list the proxy's networks in trusted_proxies"
        if first[-1] == "cdn":
            message = "cdn is on, but no CDN is trusted: its information about clients is dropped"
            hint = "list the CDN's networks in trusted_proxies"
        yield scene.origin.problem(first, message, hint, "warning")
    if config.listen.proxy_protocol and not config.trusted_proxies and known:
        message = "listen.proxy_protocol is on, but no proxy is trusted: PROXY headers are refused"
        hint = "list the networks of the proxies that send them in trusted_proxies"
        yield scene.origin.key_problem(("listen", "proxy_protocol"), message, hint)
    all_domains_known = not any(section[:1] == ("apps",) for section in scene.refused)
    if config.trusted_proxies and not speakers and not config.listen.proxy_protocol and all_domains_known:
        message = "trusted_proxies are not used: no domain has cdn: true or client_from: forwarded"
        hint = "write client_from: forwarded in the apps behind the proxy, or cdn: true on domains, or remove it"
        yield scene.origin.key_problem(("trusted_proxies",), message, hint, "warning")
    for index, network in enumerate(config.trusted_proxies):
        if not isinstance(network, str) and network.prefixlen == 0:
            message = f"{network} lets every client claim any address"
            yield scene.origin.problem(("trusted_proxies", index), message, "list only the CDN's networks", "warning")


def _hsts_reaches_browsers(scene: RuleContext) -> Iterator[Problem]:
    serves_https = bool(scene.config.listen.https) or not scene.is_certain("listen", "https")
    for path, domain in scene.domains():
        hsts = domain.hsts
        if hsts is None:
            continue
        here = (*path, "hsts")
        proxied = domain.cdn or _names_client(scene, path, domain)
        if not serves_https and not proxied:
            message = f"hsts has no effect on {domain.name}: it is only sent over HTTPS, and there is no listen.https"
            yield scene.origin.problem(here, message, "add listen.https, or remove hsts", "warning")
        elif not domain.force_https and not proxied:
            message = f"{domain.name} has hsts, but visits over HTTP are not redirected to HTTPS"
            yield scene.origin.problem(here, message, "add force_https: true", "warning")
        if hsts.preload and not (hsts.subdomains and hsts.max_age >= YEAR):
            message = "hsts.preload needs subdomains: true and a max_age of at least 365d: browsers refuse others"
            yield scene.origin.problem(here, message, "write {max_age: 365d, subdomains: true, preload: true}")


PROXY_RULES = (
    _redirects_go_by_the_proxy,
    _proxies_are_trusted,
    _hsts_reaches_browsers,
)
