"""Directives of Caddy that change a request or guard it, and let it go on → settings of the routes that follow."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping

from lb.importing import values
from lb.importing.caddy.fields import CaddyFields
from lb.importing.caddy.placeholders import template
from lb.importing.caddy.proxies import address_url
from lb.importing.caddy.syntax import CaddyLine
from lb.importing.draft import Draft, Said, Settings, put
from lb.importing.judges import put_judge, usable_users
from lb.importing.omissions import Omissions, Weight

_GUARDS = values.words("basic_auth basicauth forward_auth authorize jwtauth authelia crowdsec")
_NOTHING = values.words("encode tls bind log_name log_append tracing import push")
_LOGS = values.words("log log_skip skip_log")
_OTHERS = {
    "templates": "let the app make the pages",
    "map": "write a route with a header or query for each value",
    "vars": "",
    "method": "the method goes on as it came",
    "intercept": "see errors for pages in place of an app's",
    "handle_errors": "write errors: {404: FILE, 5xx: FILE}",
    "rate_limit": "write limits: {client_rate: 10/s}",
    "fs": "",
    "copy_response_headers": "",
    "cache": "lb does not cache: let a CDN or the app do it",
    "coraza_waf": "lb has no such filter: let the app do it",
}


class ChangeMaker:
    """Makes settings of such directives."""

    def __init__(self, draft: Draft, fields: CaddyFields, omissions: Omissions) -> None:
        self._draft = draft
        self._fields = fields
        self._omissions = omissions
        self._readers: dict[str, Callable[[CaddyLine, tuple[str, ...], Settings], None]] = {
            "header": self._response_fields,
            "request_header": self._request_fields,
            "request_body": self._body,
            "root": self._root,
            "try_files": self._try_files,
            "uri": self._uri,
            "basic_auth": self._users,
            "basicauth": self._users,
            "forward_auth": self._judge,
        }

    def knows(self, line: CaddyLine) -> bool:
        """Whether a directive lets requests go on."""
        return line.name in (*self._readers, "rewrite", *_GUARDS, *_NOTHING, *_LOGS, *_OTHERS)

    @staticmethod
    def is_guard(line: CaddyLine) -> bool:
        return line.name in _GUARDS

    def settings(self, line: CaddyLine, arguments: tuple[str, ...], captures: Mapping[str, str]) -> Settings:
        """What a directive changes."""
        settings: Settings = {}
        reader = self._readers.get(line.name)
        if reader is not None:
            reader(line, arguments, settings)
        elif line.name == "rewrite":
            self._rewrite(line, arguments[0] if arguments else "", captures, settings)
        elif line.name in _GUARDS:
            self._close(line, settings, "lb has no such guard")
        elif line.name in _LOGS:
            self._log(line)
        elif line.name in _OTHERS:
            weight = Weight.ACCESS if line.name in ("rate_limit", "coraza_waf") else Weight.BEHAVIOUR
            self._omit(weight, line, "lb has no counterpart", _OTHERS[line.name])
        return settings

    def _response_fields(self, line: CaddyLine, arguments: tuple[str, ...], settings: Settings) -> None:
        self._fields.block("response", line, arguments, settings)

    def _request_fields(self, line: CaddyLine, arguments: tuple[str, ...], settings: Settings) -> None:
        self._fields.block("request", line, arguments, settings)

    @staticmethod
    def _root(line: CaddyLine, arguments: tuple[str, ...], settings: Settings) -> None:
        settings["root"] = Said(arguments[0] if arguments else ".", (line.at,))

    def _body(self, line: CaddyLine, _arguments: tuple[str, ...], settings: Settings) -> None:
        for one in line.block or ():
            size = values.size(one.rest[0], decimal=True) if one.rest else None
            if one.name == "max_size" and size is not None:
                put(settings, ("limits", "body"), size, one.at)
            else:
                self._omit(Weight.TUNING, one, "lb has no counterpart")

    def _try_files(self, line: CaddyLine, arguments: tuple[str, ...], settings: Settings) -> None:
        *tried, last = arguments or ("",)
        plain = [one for one in tried if one not in ("{path}", "{path}/", "{path}/index.html")]
        if plain or last.startswith("="):
            self._omit(Weight.BEHAVIOUR, line, "lb looks for a file of the path's own name, and a fallback")
        if "{" not in last and last.startswith("/") and not last.endswith("/"):
            settings["tried"] = Said(last, (line.at,))

    def _rewrite(self, line: CaddyLine, target: str, captures: Mapping[str, str], settings: Settings) -> None:
        text = template(target, captures)
        plain = text.removesuffix("?{query}") if text is not None else None
        if plain is None or "?" in plain:
            self._omit(Weight.ROUTING, line, "the path cannot be made of what is known")
        elif plain.endswith("{path}") and "{" not in plain.removesuffix("{path}"):
            put(settings, ("prefix",), plain.removesuffix("{path}"), line.at)
        else:
            put(settings, ("rewrite",), plain if plain.startswith("/") else f"/{plain}", line.at)

    def _uri(self, line: CaddyLine, arguments: tuple[str, ...], settings: Settings) -> None:
        if arguments[:1] == ("strip_prefix",) and len(arguments) == 2 and "{" not in arguments[1]:
            put(settings, ("strip",), arguments[1] if arguments[1].startswith("/") else f"/{arguments[1]}", line.at)
        else:
            self._omit(Weight.ROUTING, line, "lb has no counterpart", "write a route with rewrite")

    def _users(self, line: CaddyLine, _arguments: tuple[str, ...], settings: Settings) -> None:
        users = [f"{one.name}:{_hash(one.rest[0])}" for one in line.block or () if one.rest]
        if not users:
            self._close(line, settings, "it names no user")
            return
        users, told = usable_users(users, line.at)
        for at, message in told:
            self._omissions.add(Weight.ACCESS, at, message, "make a hash with htpasswd -B")
        if not users:
            self._close(line, settings, "none of its users has a hash that lb knows")
            return
        put(settings, ("basic_auth",), self._draft.file("htpasswd", users, line.at), line.at)

    def _judge(self, line: CaddyLine, arguments: tuple[str, ...], settings: Settings) -> None:
        uri, copied = "/", []
        for one in line.block or ():
            match one.name:
                case "uri" if one.rest:
                    uri = one.rest[0]
                case "copy_headers":
                    copied += [*one.rest, *(inner.name for inner in one.block or ())]
                case "header_up" | "trusted_proxies":
                    self._omit(Weight.BEHAVIOUR, one, "who is asked gets the fields of lb")
                case _:
                    self._omit(Weight.BEHAVIOUR, one, "lb has no counterpart")
        url = address_url(arguments[0], uri) if arguments else None
        if url is None or "{" in uri:
            self._close(line, settings, "who is asked is not known")
            return
        renamed = [name for name in copied if ">" in name]
        if renamed:
            self._omit(Weight.BEHAVIOUR, line, f"{', '.join(renamed)}: fields are copied by the names that they have")
        names = Said(tuple(name for name in copied if ">" not in name), (line.at,))
        if reason := put_judge(settings, Said(url, (line.at,)), names):
            self._close(line, settings, reason)

    def _log(self, line: CaddyLine) -> None:
        if line.name != "log":
            self._omit(Weight.LOGGING, line, "every request has a line in the access log")
        elif any(one.name == "output" and one.rest[:1] not in (("stdout",), ("stderr",)) for one in line.block or ()):
            self._omit(Weight.LOGGING, line, "there is one access log for all apps", "see access_log")

    def _close(self, line: CaddyLine, settings: Settings, message: str) -> None:
        put(settings, ("deny",), True, line.at, note="closed: its guard has no counterpart")
        self._omit(Weight.ACCESS, line, message, "the route is closed until it has a guard that lb has")

    def _omit(self, weight: Weight, line: CaddyLine, message: str, hint: str = "") -> None:
        self._omissions.add(weight, line.at, f"{line.written()}: {message}", hint)


def _hash(text: str) -> str:
    """A password's hash; older files have it in base64."""
    if text.startswith("$"):
        return text
    try:
        decoded = base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return text
    return decoded if decoded.startswith("$") else text
