"""Header fields: `add_header`, `expires`, `proxy_set_header` and their kin → `headers` and `cache_control`.

What lb sends by itself (Host, X-Real-IP, X-Forwarded-For, X-Forwarded-Proto, Connection, Upgrade) needs no line.
"""

from __future__ import annotations

from lb.importing import values
from lb.importing.draft import Said, Settings, get
from lb.importing.nginx.scope import Scope
from lb.importing.nginx.syntax import Directive
from lb.importing.omissions import Omissions, Weight

_RESPONSE = ("add_header", "more_set_headers")
_HIDDEN = ("proxy_hide_header", "fastcgi_hide_header", "uwsgi_hide_header", "more_clear_headers")
_CACHE_CONTROL = "cache-control"
# Sent by itself, in a form that no client can forge.
_ALWAYS = values.words(
    """
    host x-real-ip x-forwarded-for x-forwarded-proto forwarded connection upgrade via content-length
    transfer-encoding te keep-alive x-request-id accept-encoding
    """
)
_USUAL = {
    "host": frozenset(("$host", "$http_host", "$host:$server_port", "$server_name", "$host:$proxy_port")),
    "x-forwarded-proto": frozenset(("$scheme", "$http_x_forwarded_proto", "$proxy_x_forwarded_proto")),
}
# Fields that mean something only once: what the app says is replaced, not added to.
_SINGLE = values.words(
    """
    strict-transport-security x-frame-options x-content-type-options referrer-policy permissions-policy
    x-xss-protection x-permitted-cross-domain-policies x-download-options x-robots-tag server
    content-security-policy content-disposition content-type cache-control expires pragma
    access-control-allow-origin access-control-allow-methods access-control-allow-headers
    access-control-allow-credentials access-control-max-age access-control-expose-headers cross-origin-opener-policy
    cross-origin-embedder-policy cross-origin-resource-policy
    """
)
_FOR_EVER = "max-age=315360000"
_ONLY_IF_NEW = "no-cache"


class FieldReader:
    """Puts what a scope says about fields into settings."""

    def __init__(self, omissions: Omissions) -> None:
        self._omissions = omissions

    def read(self, scope: Scope, settings: Settings, *, inherited: bool, files: bool = False) -> None:
        """The fields that hold in a scope; without `inherited` those that it says itself."""
        find = scope.all if inherited else scope.own
        for one in find(*_HIDDEN):
            self._note(one, values.remove_field(settings, "response", one.first(), one.at))
        for one in find(*_RESPONSE):
            self._response(one, scope, settings, files=files)
        expires = find("expires")
        if expires:
            self._expires(expires[-1], settings, files=files)
        for one in find("proxy_set_header", "fastcgi_param_header", "grpc_set_header"):
            self._request(one, scope, settings)

    def tell_of_server(self, scope: Scope, server: Settings) -> None:
        """A location that adds fields loses those of the server in nginx, and keeps them in lb."""
        own = {one.first().lower() for one in scope.own("add_header")}
        sections = server.get("headers", {}).get("response", {})
        more = [name for key in ("set", "add") for name in sections.get(key, {}) if name.lower() not in own]
        if own and more:
            message = f"{', '.join(more)} of the server are sent here, too; nginx sends only those of the location"
            self._omissions.add(Weight.TUNING, scope.own("add_header")[0].at, message)

    def _response(self, directive: Directive, scope: Scope, settings: Settings, *, files: bool) -> None:
        name, text = _name_and_value(directive)
        value = scope.template(text)
        if not text:
            return
        if value is None:
            hint = "write what it stands for"
            self._omissions.add(Weight.BEHAVIOUR, directive.at, f"{directive.written()}: no such placeholder", hint)
        elif files and name.lower() == _CACHE_CONTROL:
            _join_cache_control(settings, text, directive)
        else:
            action = "set" if name.lower() in _SINGLE else "add"
            self._note(directive, values.put_field(settings, "response", action, (name, value), directive.at))

    def _expires(self, directive: Directive, settings: Settings, *, files: bool) -> None:
        text = directive.arguments[-1]
        length = values.seconds(text.lstrip("+-"))
        if text == "off":
            return
        if text == "max":
            control = _FOR_EVER
        elif text == "epoch" or text.startswith("-"):
            control = _ONLY_IF_NEW
        elif length is None or directive.first() == "modified" or text.startswith("@"):
            self._omissions.add(Weight.BEHAVIOUR, directive.at, f"{directive.written()}: no such Cache-Control")
            return
        else:
            control = f"max-age={int(length)}"
        if files:
            _join_cache_control(settings, control, directive)
        else:
            values.put_field(settings, "response", "set", ("Cache-Control", control), directive.at)

    def _request(self, directive: Directive, scope: Scope, settings: Settings) -> None:
        name, text = _name_and_value(directive)
        lower = name.lower()
        if lower in _ALWAYS:
            self._always(directive, lower, text)
            return
        if not text:
            self._note(directive, values.remove_field(settings, "request", name, directive.at))
            return
        value = scope.template(text, _request_variables(scope))
        if value is None:
            copied = text.lower() == f"$http_{lower.replace('-', '_')}"  # it goes on as it came
            captured = text.startswith("$") and any(one.first() == text for one in scope.all("auth_request_set"))
            if not copied and not captured:
                message = f"{directive.written()}: no such placeholder"
                self._omissions.add(Weight.BEHAVIOUR, directive.at, message, "write what it stands for")
        else:
            self._note(directive, values.put_field(settings, "request", "set", (name, value), directive.at))

    def _always(self, directive: Directive, name: str, text: str) -> None:
        usual = _USUAL.get(name)
        if usual is not None and text not in usual:
            message = f"{directive.written()}: apps always get the client's own {directive.first()}"
            hint = "let the app accept that name" if name == "host" else "see client_from for a proxy in front of lb"
            self._omissions.add(Weight.BEHAVIOUR, directive.at, message, hint)

    def _note(self, directive: Directive, reason: str | None) -> None:
        if reason is not None:
            self._omissions.add(Weight.BEHAVIOUR, directive.at, f"{directive.written()}: {reason}")


def _name_and_value(directive: Directive) -> tuple[str, str]:
    if directive.name == "more_set_headers":
        name, _, value = directive.arguments[-1].partition(":")
        return name.strip(), value.strip()
    return directive.first(), directive.arguments[1] if len(directive.arguments) > 1 else ""


def _join_cache_control(settings: Settings, text: str, directive: Directive) -> None:
    before = get(settings, "cache_control")
    if before is None:
        settings["cache_control"] = Said(text, (directive.at,))
        return
    names = {part.strip().partition("=")[0] for part in str(before.value).split(",")}
    more = [part.strip() for part in text.split(",") if part.strip().partition("=")[0] not in names]
    settings["cache_control"] = Said(", ".join((str(before.value), *more)), (*before.at, directive.at))


def _request_variables(scope: Scope) -> dict[str, str]:
    """Variables that the server's own directives decide: its port, and its name."""
    listen = scope.all("listen")
    names = scope.all("server_name")
    found: dict[str, str] = {}
    ports = {one.first().rpartition(":")[2] for one in listen}
    if len(ports) == 1:
        found["server_port"] = ports.pop()
    if names and names[0].first() not in ("_", ""):
        found["server_name"] = names[0].first()
    return found
