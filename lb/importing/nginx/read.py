"""A configuration of nginx → a draft. The other files of this package read its parts."""

from __future__ import annotations

from pathlib import Path

from lb.importing import values
from lb.importing.draft import Draft, Said, put
from lb.importing.nginx.fields import FieldReader
from lb.importing.nginx.files import SourceFiles
from lb.importing.nginx.guards import GuardReader
from lb.importing.nginx.left_out import report_left_out
from lb.importing.nginx.limits import LimitReader
from lb.importing.nginx.locations import Readers
from lb.importing.nginx.scope import Scope
from lb.importing.nginx.servers import ServerReader
from lb.importing.nginx.syntax import Directive
from lb.importing.nginx.upstreams import Upstreams
from lb.importing.omissions import Omissions, Weight
from lb.importing.source_line import SourceLine, UnreadableSourceError


def read_nginx(path: Path, draft: Draft, omissions: Omissions) -> None:
    """Fills a draft with what a file says, and those that it includes. Raises UnreadableSourceError."""
    directives = SourceFiles(path, omissions).directives()
    http = _http(directives)
    if not http.own("server"):
        raise UnreadableSourceError(SourceLine(str(path), 0), "there is no server in this file")
    upstreams = Upstreams(http, omissions)
    readers = Readers(
        draft,
        omissions,
        upstreams,
        FieldReader(omissions),
        GuardReader(upstreams, omissions),
        LimitReader(http, omissions),
    )
    readers.limits.of_file(http, draft.top)
    _access_log(http, draft)
    ServerReader(readers, http).read()
    _trusted(http, draft, omissions)
    report_left_out(directives, omissions)


def _http(directives: tuple[Directive, ...]) -> Scope:
    """What stands in `http`; a file of a site has servers, or even locations, without anything around them."""
    inside: list[Directive] = []
    bare = [one for one in directives if one.name == "location"]
    for one in directives:
        if one.name == "http":
            inside += one.block or ()
        elif one.name not in ("events", "stream", "mail", "location"):
            inside.append(one)
    if bare:
        inside.append(Directive("server", (), bare[0].at, tuple(bare)))
    return Scope(tuple(inside))


def _access_log(http: Scope, draft: Draft) -> None:
    one = http.own_one("access_log")
    if one is None:
        return
    if one.first() == "off":
        put(draft.top, ("access_log",), "off", one.at)
    else:
        draft.top["access_log"] = Said("combined", (one.at,), "on standard output; {path: FILE, format: combined} else")


def _trusted(http: Scope, draft: Draft, omissions: Omissions) -> None:
    """The proxies in front, from all servers: lb has one list of them."""
    found: dict[str, SourceLine] = {}
    for scope in (http, *(http.inner(server) for server in http.own("server"))):
        for one in scope.own("set_real_ip_from"):
            network = values.network(one.first())
            if network is None:
                omissions.add(Weight.BEHAVIOUR, one.at, f"{one.written()}: this is no network")
            else:
                found.setdefault(network, one.at)
    if found:
        draft.top["trusted_proxies"] = [Said(network, (at,)) for network, at in found.items()]
