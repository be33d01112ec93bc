"""Caddy's placeholders → lb's."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PLACEHOLDER = re.compile(r"(\$)?\{([^{}\s]*)\}")
_OF_LB = {
    "host": "{host}",
    "http.request.host": "{host}",
    "hostport": "{hostport}",
    "http.request.hostport": "{hostport}",
    "http.request.header.host": "{hostport}",
    "header.host": "{hostport}",
    "uri": "{path}?{query}",
    "http.request.uri": "{path}?{query}",
    "http.request.orig_uri": "{path}?{query}",
    "orig_uri": "{path}?{query}",
    "path": "{path}",
    "http.request.uri.path": "{path}",
    "http.request.orig_uri.path": "{path}",
    "query": "{query}",
    "http.request.uri.query": "{query}",
    "?query": "?{query}",
    "scheme": "{scheme}",
    "http.request.scheme": "{scheme}",
    "remote_host": "{client}",
    "remote": "{client}",
    "client_ip": "{client}",
    "http.request.remote.host": "{client}",
    "http.request.remote": "{client}",
    "http.vars.client_ip": "{client}",
    "http.request.uuid": "{request_id}",
    "uuid": "{request_id}",
}


def template(text: str, captures: Mapping[str, str] | None = None) -> str | None:
    """The text as a template of lb; None if a placeholder has no counterpart. `captures` are those of an expression."""
    known = {**_OF_LB, **(captures or {})}
    pieces: list[str] = []
    at = 0
    for found in _PLACEHOLDER.finditer(text):
        pieces.append(_braces(text[at : found.start()]))
        at = found.end()
        if found[1]:
            pieces.append(found[0])  # a variable of the environment
        elif found[2].startswith("env."):
            pieces.append(f"${{{found[2][4:]}}}")
        elif found[2].lower() in known:
            pieces.append(known[found[2].lower()])
        else:
            return None
    return "".join(pieces) + _braces(text[at:])


def location_template(text: str, captures: Mapping[str, str] | None = None) -> str | None:
    """Where a client is sent: the query goes along by itself."""
    found = template(text, captures)
    return found.removesuffix("?{query}") if found is not None else None


def _braces(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
