"""Limits and time-outs: `client_max_body_size`, `proxy_read_timeout`, `limit_req` and their kin.

Those of `http` are the file's, those of a server the app's, those of a location the route's.
"""

from __future__ import annotations

import re

from lb.importing import values
from lb.importing.draft import Settings, get, put
from lb.importing.nginx.scope import Scope
from lb.importing.nginx.syntax import Directive
from lb.importing.omissions import Omissions, Weight

_OF_CLIENT = frozenset(("$binary_remote_addr", "$remote_addr", "$http_x_forwarded_for", "$realip_remote_addr"))
_TIMES = {
    "proxy_connect_timeout": ("connect",),
    "fastcgi_connect_timeout": ("connect",),
    "uwsgi_connect_timeout": ("connect",),
    "proxy_read_timeout": ("response", "read"),
    "fastcgi_read_timeout": ("response", "read"),
    "uwsgi_read_timeout": ("response", "read"),
    "grpc_read_timeout": ("response", "read"),
    "proxy_send_timeout": ("read",),
    "send_timeout": ("read",),
    "client_body_timeout": ("read",),
}
_TIMES_OF_FILE = {"keepalive_timeout": "idle", "client_header_timeout": "head"}
_BUFFERING = ("proxy_request_buffering", "fastcgi_request_buffering", "uwsgi_request_buffering")


class LimitReader:
    """Puts limits and time-outs into settings."""

    def __init__(self, http: Scope, omissions: Omissions) -> None:
        self._zones = {
            name: one
            for one in http.own("limit_req_zone", "limit_conn_zone")
            for name in re.findall(r"\bzone=([^:]+)", one.written())
        }
        self._omissions = omissions

    def of_file(self, http: Scope, settings: Settings) -> None:
        """What lb has at the top of its file."""
        self._common(http, settings)
        self._of_file_only(http, settings)

    def of_server(self, server: Scope, settings: Settings, top: Settings) -> None:
        """What a server says itself: its app's; the idle time and the size of heads are the file's."""
        self._common(server, settings)
        self._buffering(server, settings)
        self._of_file_only(server, top)

    def of_location(self, location: Scope, settings: Settings, top: Settings) -> None:
        """What a location says itself: its route's."""
        self._common(location, settings)
        self._buffering(location, settings)
        self._client_connections(location, top)

    def _of_file_only(self, scope: Scope, top: Settings) -> None:
        self._client_connections(scope, top)
        self._head_sizes(scope, top)
        for name, key in _TIMES_OF_FILE.items():
            one = scope.own_one(name)
            if one is not None and get(top, "timeouts", key) is None:
                self._duration(one, top, (key,))

    def _common(self, scope: Scope, settings: Settings) -> None:
        body = scope.own_one("client_max_body_size")
        if body is not None:
            self._body(body, scope, settings)
        longest: dict[str, float] = {}
        for name, keys in _TIMES.items():
            one = scope.own_one(name)
            length = values.seconds(one.first()) if one is not None else None
            for key in keys if one is not None and length else ():
                assert one is not None and length is not None  # noqa: S101, PT018  asked above
                if length > longest.get(key, 0):
                    longest[key] = length
                    self._duration(one, settings, (key,))
        self._rate(scope, settings)

    def _body(self, directive: Directive, scope: Scope, settings: Settings) -> None:
        text = scope.resolved(directive.first())
        size = values.size(text) if text is not None else None
        if size is None:
            self._omissions.add(Weight.TUNING, directive.at, f"{directive.written()}: this is no size")
        elif size == "0":
            put(settings, ("limits", "body"), values.UNLIMITED_BODY, directive.at, note="0: no limit in nginx")
        else:
            put(settings, ("limits", "body"), size, directive.at)

    def _duration(self, directive: Directive, settings: Settings, keys: tuple[str, ...]) -> None:
        text = values.duration(directive.first())
        if text is None:
            hint = "time-outs of lb cannot be switched off"
            self._omissions.add(Weight.TUNING, directive.at, f"{directive.written()}: this is no duration of lb", hint)
            return
        for key in keys:
            put(settings, ("timeouts", key), text, directive.at)

    def _head_sizes(self, scope: Scope, settings: Settings) -> None:
        one = scope.own_one("large_client_header_buffers")
        if one is None or len(one.arguments) != 2 or not one.first().isdecimal():
            return
        line = values.size(one.arguments[1])
        if line is not None and line[:-1].isdecimal() and line.endswith(("K", "M")):
            put(settings, ("limits", "header_line"), line, one.at)
            total = int(one.first()) * int(line[:-1])
            put(settings, ("limits", "header_total"), f"{total}{line[-1]}", one.at)

    def _rate(self, scope: Scope, settings: Settings) -> None:
        for one in scope.own("limit_req"):
            options = dict(argument.partition("=")[::2] for argument in one.arguments)
            zone = self._zones.get(options.get("zone", ""))
            rate = re.search(r"\brate=(\d+)r/([sm])", zone.written()) if zone is not None else None
            if zone is None or rate is None or zone.first() not in _OF_CLIENT:
                message = f"{one.written()}: lb counts the requests of a client, and by nothing else"
                self._omissions.add(Weight.ACCESS, one.at, message, "write limits: {client_rate: 10/s}")
                continue
            if get(settings, "limits", "client_rate") is not None:
                self._omissions.add(Weight.TUNING, one.at, f"{one.written()}: one rate holds, the first")
                continue
            put(settings, ("limits", "client_rate"), f"{rate[1]}/{rate[2]}", one.at, zone.at)
            burst = options.get("burst", "0")
            if burst.isdecimal():
                put(settings, ("limits", "client_burst"), int(burst) + 1, one.at)

    def _client_connections(self, scope: Scope, top: Settings) -> None:
        for one in scope.own("limit_conn"):
            zone = self._zones.get(one.first())
            number = one.arguments[-1]
            if zone is None or zone.first() not in _OF_CLIENT or not number.isdecimal():
                message = f"{one.written()}: lb counts the connections of a client, and by nothing else"
                self._omissions.add(Weight.TUNING, one.at, message)
                continue
            before = get(top, "limits", "client_connections")
            if before is None or int(before.value) < int(number):
                put(top, ("limits", "client_connections"), int(number), one.at)
            if scope.outer is not None and scope.outer.outer is not None:
                message = f"{one.written()}: limits.client_connections holds for all apps together"
                self._omissions.add(Weight.TUNING, one.at, message)

    def _buffering(self, scope: Scope, settings: Settings) -> None:
        one = scope.own_one(*_BUFFERING)
        if one is not None and one.first() == "off":
            put(settings, ("buffering",), "off", one.at)
