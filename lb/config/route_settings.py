"""What a route says: which requests it is for, what becomes of them, and what holds for them alone.

Field names are the keys of the YAML file, as in model.py. What several keys mean together is in route_rules.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import BeforeValidator, Field

from lb.config import units
from lb.config.base import Section
from lb.config.field_settings import CorsSettings, ErrorPages, FieldSettings
from lb.config.fields import AppName, File, Network, Text, Written, one_or_more, or_off
from lb.config.guard_settings import BasicAuth, ForwardAuth
from lb.config.own_settings import OwnLimits, OwnTimeouts
from lb.config.problems import quoted
from lb.config.units import BadValueError, describe
from lb.http.file_path import file_path
from lb.http.path_pattern import PatternError, parse_pattern

_METHOD = re.compile(r"[A-Z][A-Z-]{0,31}")
_DIRECTIVES = re.compile(r"[!-~]+(?:[ \t]+[!-~]+)*", re.ASCII)
_EVERY_PATH = ("/", "/{rest}")
_REDIRECTS = (301, 302, 303, 307, 308)


def _path(value: object) -> str:
    if not isinstance(value, str):
        raise BadValueError(f"{describe(value)} is not a path", "write one such as /static/, /ws or /blog/{rest}")
    try:
        parse_pattern(value)
    except PatternError as error:
        raise BadValueError(str(error.args[0]), str(error.args[1])) from None
    return str(value)


def _plain_path(value: object) -> str:
    text = _path(value)
    if "{" in text:
        raise BadValueError(f"{quoted(text)} has a parameter", "write a path without any")
    return text


def _method(value: object) -> str:
    text = value.upper() if isinstance(value, str) else ""
    if _METHOD.fullmatch(text) is None:
        raise BadValueError(f"{describe(value)} is not a method", "write one such as GET or POST, or a list of them")
    return text


def _redirect_status(value: object) -> int:
    text = str(value)
    if text not in {str(status) for status in _REDIRECTS}:
        raise BadValueError(f"{describe(value)} is not a status of a redirect", "write 301, 302, 303, 307 or 308")
    return int(text)


def _file_name(value: object) -> str:
    text = value if isinstance(value, str) else ""
    found = file_path(quote(text).encode())
    if found is None or found.of_directory or found.name.decode() != text:
        raise BadValueError(f"{describe(value)} is not the name of a file", "write one such as index.html")
    return str(text)


def _cache_control(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if _DIRECTIVES.fullmatch(text) is None:
        raise BadValueError(f"{describe(value)} is no Cache-Control", 'write one such as "public, max-age=3600"')
    return text


PathText = Annotated[str, BeforeValidator(_path, json_schema_input_type=Annotated[str, Field(pattern="^/")])]
PlainPath = Annotated[str, BeforeValidator(_plain_path, json_schema_input_type=Annotated[str, Field(pattern="^/")])]
Method = Annotated[str, BeforeValidator(_method, json_schema_input_type=Written)]
RedirectStatus = Annotated[int, BeforeValidator(_redirect_status, json_schema_input_type=Literal[_REDIRECTS])]

FileName = Annotated[str, BeforeValidator(_file_name, json_schema_input_type=Written)]
IndexFile = Annotated[str | None, or_off(_file_name, Written)]
CacheControl = Annotated[str, BeforeValidator(_cache_control, json_schema_input_type=Written)]


def _value(value: object) -> str:
    if not isinstance(value, str):
        raise BadValueError(f"{describe(value)} is not a value", 'write text, or "*" for any value')
    return str(value)


_Values = dict[str, Annotated[str, BeforeValidator(_value, json_schema_input_type=Written)]]


def _deny(value: object) -> object:
    if units.is_off(value):
        return ()
    return ("0.0.0.0/0", "::/0") if units.is_on(value) else value


def serves_itself(routes: Sequence[RouteSettings]) -> bool:
    """Whether every path is answered without an instance of the app: by files, a redirect or another app."""
    return any(
        route.path in _EVERY_PATH
        and not (route.method or route.header or route.query)
        and not (route.files is None and route.redirect is None and route.app is None)
        for route in routes
    )


class RouteSettings(Section):
    """Requests of an app by path, method, fields or query, and what holds for them. The first that matches is taken."""

    path: PathText = Field(
        default="/",
        description="Path: /static/ is it and all below it, /ws is it alone, /users/{id} any one segment, "
        "/blog/{rest} all that remains.",
    )
    method: Annotated[tuple[Method, ...], one_or_more(Written)] = Field(
        default=(), description="Methods: GET, or a list; without it all of them."
    )
    header: _Values = Field(default={}, description='Fields that a request must have, with this value; "*": any value.')
    query: _Values = Field(
        default={}, description='Parameters that the query must have, with this value; "*": any value.'
    )
    app: AppName | None = Field(default=None, description="Another app that answers, in the same environment.")
    strip: PlainPath | None = Field(default=None, description="What is taken off the path's beginning: /api.")
    prefix: PlainPath | None = Field(default=None, description="What is put before the path.")
    rewrite: Text | None = Field(
        default=None, description="The path that the app gets instead, with placeholders: /v2/{rest}. The query stays."
    )
    redirect: Text | None = Field(
        default=None,
        description="Where the client is sent: https://blog.example.com/{rest}. The query stays unless this has one.",
    )
    status: RedirectStatus | None = Field(
        default=None, description="Status of the redirect; without it 301 for GET and HEAD, 308 for other methods."
    )
    files: File | None = Field(
        default=None, description="Directory whose files are served: the path behind the route's names one of them."
    )
    index: IndexFile = Field(
        default="index.html", description="File that stands for a directory; off: directories get 404."
    )
    fallback: FileName | None = Field(
        default=None, description="File of the directory that is sent where there is none (single-page apps)."
    )
    cache_control: CacheControl | None = Field(
        default=None, description="Cache-Control of these files: public, max-age=31536000, immutable."
    )
    deny: Annotated[
        tuple[Network, ...],
        one_or_more(Written),
        BeforeValidator(_deny, json_schema_input_type=Written | list[Written]),
    ] = Field(default=(), description="true: nobody may; or networks whose clients may not. They get 403.")
    allow: Annotated[tuple[Network, ...], one_or_more(Written)] = Field(
        default=(), description="Networks whose clients may; others get 403."
    )
    basic_auth: BasicAuth | None = Field(
        default=None, description="Password file whose users may, as htpasswd -B makes it; others get 401."
    )
    forward_auth: ForwardAuth | None = Field(
        default=None, description="URL of an authentication service that is asked: with a 2xx, the request goes on."
    )
    limits: OwnLimits = Field(default=OwnLimits(), description="Limits for these requests alone.")
    timeouts: OwnTimeouts = Field(default=OwnTimeouts(), description="Time-outs for these requests alone.")
    errors: ErrorPages = Field(default={}, description="Error pages, on top of the app's.")
    headers: FieldSettings = Field(default=FieldSettings(), description="Fields, on top of the app's.")
    cors: CorsSettings | None = Field(default=None, description="CORS for these requests, in place of the app's.")
