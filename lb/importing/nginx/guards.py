"""Who may: `allow`, `deny`, `auth_basic`, `auth_request` → guards of a route.

What cannot be guarded as before is closed (`deny: true`): an import never opens what was closed.
"""

from __future__ import annotations

import re
from ipaddress import ip_network

from lb.importing import values
from lb.importing.draft import Said, Settings, put
from lb.importing.judges import put_judge
from lb.importing.nginx.scope import Scope
from lb.importing.nginx.syntax import Directive
from lb.importing.nginx.upstreams import Upstreams
from lb.importing.omissions import Omissions, Weight

GUARDS = ("allow", "deny", "auth_basic", "auth_request", "auth_jwt", "auth_digest", "auth_pam", "auth_ldap")
_OTHER = ("auth_jwt", "auth_digest", "auth_pam", "auth_ldap", "access_by_lua_block", "access_by_lua_file")
_UPSTREAM_FIELD = "$upstream_http_"
_REALM = re.compile(r"[ -~]{1,100}")
_CLOSED = "the route is closed until it has a guard that lb has"


class GuardReader:
    """Puts the guards that hold in a scope into settings."""

    def __init__(self, upstreams: Upstreams, omissions: Omissions) -> None:
        self._upstreams = upstreams
        self._omissions = omissions

    def read(self, scope: Scope, server: Scope, settings: Settings) -> bool:
        """Returns whether anybody is kept out."""
        self._networks(scope.all("allow", "deny"), settings)
        self._password(scope, settings)
        self._asked(scope, server, settings)
        for one in scope.all(*_OTHER):
            if one.first() != "off":
                self._close(settings, one, f"{one.written()}: lb has no such guard")
        satisfy = scope.one("satisfy")
        if satisfy is not None and satisfy.first() == "any" and len(settings.keys() & _KEYS) > 1:
            message = "satisfy any: in lb all guards of a route must hold, so fewer clients get in"
            hint = "keep only one of them, or let the app decide"
            self._omissions.add(Weight.ACCESS, satisfy.at, message, hint)
        return bool(settings.keys() & _KEYS)

    def _networks(self, rules: list[Directive], settings: Settings) -> None:
        allowed: list[tuple[str, Directive]] = []
        denied: list[tuple[str, Directive]] = []
        for one in rules:
            text = "all" if one.first() == "all" else values.network(one.first())
            if text is None:
                if one.name == "deny":
                    self._close(settings, one, f"{one.written()}: this is no network")
                continue  # an allow that is left out opens nothing
            if text == "all" and one.name == "allow":
                break
            if text == "all":
                _put_closed(settings, allowed, denied, one)
                return
            if one.name == "allow":
                allowed.append((text, one))
            else:
                self._tell_of_exceptions(text, one, allowed)
                denied.append((text, one))
        if denied:
            _put_networks(settings, "deny", denied)

    def _tell_of_exceptions(self, text: str, directive: Directive, allowed: list[tuple[str, Directive]]) -> None:
        inside = [one for one, _ in allowed if _overlap(one, text)]
        if inside:
            message = f"{directive.written()}: {', '.join(inside)}, allowed before, is kept out, too"
            hint = "write the denied networks so that they leave it out"
            self._omissions.add(Weight.ACCESS, directive.at, message, hint)

    def _password(self, scope: Scope, settings: Settings) -> None:
        realm = scope.one("auth_basic")
        if realm is None or realm.first() == "off":
            return
        users = scope.one("auth_basic_user_file")
        path = scope.resolved(users.first()) if users is not None else None
        if users is None or path is None:
            self._close(settings, realm, f"{realm.written()}: the file of the users is not known")
            return
        put(settings, ("basic_auth", "file"), path, users.at)
        text = scope.resolved(realm.first())
        if text is not None and _REALM.fullmatch(text):
            put(settings, ("basic_auth", "realm"), text, realm.at)

    def _asked(self, scope: Scope, server: Scope, settings: Settings) -> None:
        one = scope.one("auth_request")
        if one is None or one.first() == "off":
            return
        uri = one.first()
        judge = next((location for location in server.own("location") if _is_for(location, uri)), None)
        inner = server.inner(judge) if judge is not None else None
        passes = inner.own_one("proxy_pass") if inner is not None else None
        target = self._upstreams.target(passes, inner) if passes is not None and inner is not None else None
        if passes is None or inner is None or target is None:
            self._close(settings, one, f"{one.written()}: who is asked is not known")
            return
        scheme = "https" if passes.first().startswith("https") else "http"
        if str(target.backend.instances[0].value).startswith("unix:"):
            self._close(settings, one, f"{one.written()}: who is asked listens on a Unix socket")
            return
        address = str(target.backend.instances[0].value).removeprefix("https://")
        url = f"{scheme}://{address}{target.uri or uri}"
        reason = put_judge(settings, Said(url, (one.at, passes.at)), _copied(scope))
        if reason:
            self._close(settings, one, f"{one.written()}: {reason}")
            return
        for error in scope.all("error_page"):
            if error.first() in ("401", "403"):
                message = f"{error.written()}: the answer of who was asked goes to the client as it is"
                hint = "let it answer with the redirect itself"
                self._omissions.add(Weight.BEHAVIOUR, error.at, message, hint)

    def _close(self, settings: Settings, directive: Directive, message: str) -> None:
        put(settings, ("deny",), True, directive.at, note="closed: its guard has no counterpart")
        self._omissions.add(Weight.ACCESS, directive.at, message, _CLOSED)


_KEYS = frozenset(("allow", "deny", "basic_auth", "forward_auth"))


def _is_for(location: Directive, uri: str) -> bool:
    path = uri.partition("?")[0]
    modifier, name = location.arguments if len(location.arguments) == 2 else ("", location.first())
    return name == path or (modifier in ("", "^~") and path.startswith(name) and name != "/")


def _put_closed(
    settings: Settings, allowed: list[tuple[str, Directive]], denied: list[tuple[str, Directive]], last: Directive
) -> None:
    """The networks before a `deny all`."""
    if denied:
        _put_networks(settings, "deny", denied)
    if allowed:
        _put_networks(settings, "allow", [*allowed])
    else:
        put(settings, ("deny",), True, last.at)


def _put_networks(settings: Settings, key: str, found: list[tuple[str, Directive]]) -> None:
    before = settings.get(key)
    if before is not None and before.value is True:
        return  # it is closed for everybody
    settings[key] = Said(tuple(dict.fromkeys(text for text, _ in found)), tuple(one.at for _, one in found))


def _overlap(one: str, other: str) -> bool:
    first, second = ip_network(one), ip_network(other)
    return first.version == second.version and first.overlaps(second)


def _copied(scope: Scope) -> Said | None:
    """The fields of the judge's answer that `auth_request_set` and `proxy_set_header` bring to the app."""
    names: dict[str, Directive] = {}
    variables = {
        one.first(): one.arguments[1]
        for one in scope.all("auth_request_set")
        if len(one.arguments) == 2 and one.arguments[1].startswith(_UPSTREAM_FIELD)
    }
    for one in scope.all("proxy_set_header"):
        if len(one.arguments) == 2 and one.arguments[1] in variables:
            names[one.first()] = one
    return Said(tuple(names), tuple(one.at for one in names.values())) if names else None
