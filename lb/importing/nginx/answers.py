"""What answers in a block: `return`, `rewrite`, `proxy_pass`, `try_files`, `root` and `alias`.

For one path of a location this file says where its requests go, or that a client is redirected, refused or gets a file.
Who may, which fields and which limits hold is for others to add.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field

from lb.importing.draft import Backend, Settings, put
from lb.importing.nginx.scope import Scope
from lb.importing.nginx.syntax import Directive
from lb.importing.nginx.upstreams import PASSES, Upstreams
from lb.importing.omissions import Omissions, Weight
from lb.importing.regular_paths import regular_paths
from lb.importing.values import braces

_REDIRECTS = ("301", "302", "303", "307", "308")
_SAME_QUERY = ("$is_args$args", "?$args", "?$query_string", "$is_args$query_string")
_FILES = ("$uri", "$request_filename", "$document_root")
_HTML = (".html", ".htm")


@dataclass(slots=True)
class LocationAnswer:
    """What becomes of the requests."""

    backend: Backend | None = None
    settings: Settings = field(default_factory=dict)
    note: str = ""
    is_files: bool = False


@dataclass(frozen=True, slots=True)
class Spot:
    """A path of a location: as nginx has it, as lb has it, and what a regular expression captured."""

    nginx_path: str
    path: str
    captures: dict[str, str]

    @property
    def is_exact(self) -> bool:
        return not self.path.endswith(("/", "{rest}"))


class AnswerReader:
    """Reads what answers in a scope. `find` finds the block of a location: by its name, or for a path."""

    def __init__(self, upstreams: Upstreams, omissions: Omissions, find: Callable[[str], Scope | None]) -> None:
        self._upstreams = upstreams
        self._omissions = omissions
        self._find = find

    def answer(self, scope: Scope, spot: Spot) -> LocationAnswer | None:
        """What answers at a path; None if nothing of lb can (an omission says why)."""
        if (one := scope.own_one("return")) is not None:
            return self.returned(one, scope, spot.captures)
        passes = scope.own_one(*PASSES)
        tried = scope.own_one("try_files")
        if tried is not None:
            return self._tried(tried, scope, spot)
        if passes is not None:
            return self._passed(passes, scope, spot)
        return self._files(scope, spot)

    def returned(self, directive: Directive, scope: Scope, captures: dict[str, str]) -> LocationAnswer | None:
        """A `return`: a redirect, a refusal; a text has no counterpart."""
        code, *rest = directive.arguments or ("",)
        if not code.isdecimal():
            code, rest = "302", [code]
        answer = LocationAnswer()
        if code in _REDIRECTS and rest:
            location = location_template(rest[0], scope, captures)
            if location is None:
                self._omit(directive, Weight.ROUTING, "the target has no template")
                return None
            put(answer.settings, ("redirect",), location, directive.at)
            put(answer.settings, ("status",), int(code), directive.at)
            return answer
        if code.startswith(("4", "5")):
            put(answer.settings, ("deny",), True, directive.at, note=f"{code} in nginx, 403 in lb")
            return answer
        hint = "let the app answer, or write the text into a file and serve it with files"
        self._omit(directive, Weight.ROUTING, "lb answers nothing by itself", hint)
        return None

    def rewritten(self, directive: Directive, scope: Scope) -> list[tuple[str, LocationAnswer]] | None:
        """The paths of a `rewrite` that redirects, each with its answer; None if it does not redirect."""
        expression, replacement, *flags = (*directive.arguments, "", "")[: max(len(directive.arguments), 2)]
        status = {"permanent": 301, "redirect": 302}.get(flags[0] if flags else "")
        if status is None and replacement.startswith(("http://", "https://", "$scheme")):
            status = 302
        if status is None:
            return None
        found: list[tuple[str, LocationAnswer]] = []
        for one in regular_paths(expression) or ():
            location = location_template(replacement, scope, one.captures)
            if location is None:
                break
            if one.path == "/" and location.endswith("/{rest}"):
                location = location.removesuffix("/{rest}") + "{path}"
            answer = LocationAnswer()
            put(answer.settings, ("redirect",), location, directive.at)
            put(answer.settings, ("status",), status, directive.at)
            found.append((one.path, answer))
        else:
            if found:
                return found
        self._omit(directive, Weight.ROUTING, "the expression has no path of lb")
        return []

    def _passed(self, directive: Directive, scope: Scope, spot: Spot) -> LocationAnswer | None:
        target = self._upstreams.target(directive, scope)
        if target is None:
            return None
        answer = LocationAnswer(target.backend)
        rewrites = [one for one in scope.own("rewrite") if one.arguments[2:3] in (("break",), ("last",), ())]
        if rewrites and self._path_rewritten(rewrites[0], scope, spot, answer):
            return answer
        if target.uri is not None:
            change = path_change(spot, target.uri, scope)
            if change is None:
                self._omit(directive, Weight.ROUTING, "the path cannot be made of what is known")
                return None
            answer.settings |= {key: value for key, value in change.items() if value}
            for key, text in list(answer.settings.items()):
                put(answer.settings, (key,), text, directive.at)
        return answer

    def _path_rewritten(self, directive: Directive, scope: Scope, spot: Spot, answer: LocationAnswer) -> bool:
        """A `rewrite … break` before a `proxy_pass`: the path that the app gets."""
        if len(directive.arguments) < 2:
            return False
        paths = regular_paths(_anchored(directive.first()))
        replacement = directive.arguments[1]
        for same in _SAME_QUERY:
            replacement = replacement.removesuffix(same)
        for one in paths or ():
            text = scope.template(replacement, one.captures)
            if text is None:
                continue
            if one.path.rstrip("/") == spot.path.rstrip("/"):
                plain = text.removesuffix("{rest}")
                strips = text.endswith("{rest}") and plain in ("/", "") and not spot.is_exact
                key, value = ("strip", spot.path.rstrip("/")) if strips else ("rewrite", _rooted(text))
                put(answer.settings, (key,), value, directive.at)
                return True
            if one.path == "/" and text in ("{rest}", "/{rest}"):
                return True
        self._omit(directive, Weight.ROUTING, "the path that the app gets cannot be made of what is known")
        return False

    def _tried(self, directive: Directive, scope: Scope, spot: Spot) -> LocationAnswer | None:
        *tried, last = directive.arguments
        files = any(one.startswith(_FILES) for one in tried)
        if last.startswith("@") or (last.startswith("/") and not last.endswith(_HTML)):
            return self._or_app(directive, spot, last, files=files)
        answer = self._files(scope, spot)
        if answer is None or last.startswith("="):
            return answer
        inside = posixpath.relpath(last, spot.path) if not spot.is_exact else ".."
        if scope.own("alias"):
            inside = posixpath.relpath(last, spot.nginx_path)
        if inside.startswith(".."):
            message = f"{last} is not in the directory whose files are served here"
            self._omit(directive, Weight.ROUTING, message, "write a route for it")
        else:
            put(answer.settings, ("fallback",), inside, directive.at)
        return answer

    def _or_app(self, directive: Directive, spot: Spot, last: str, *, files: bool) -> LocationAnswer | None:
        """Files if they are there, else the app: lb has a route for either."""
        found = self._find(last.partition("$")[0].partition("?")[0])
        passes = found.own_one(*PASSES) if found is not None else None
        if found is None or passes is None:
            self._omit(directive, Weight.ROUTING, f"{last} leads to nothing that lb can ask")
            return None
        answer = self._passed(passes, found, Spot("/", spot.path, {}))
        if files:
            hint = "write a route with files for each directory or file that is there, before this one"
            self._omit(directive, Weight.ROUTING, "lb does not look for a file before it asks the app", hint)
        return answer

    def _files(self, scope: Scope, spot: Spot) -> LocationAnswer | None:
        alias, root = scope.own_one("alias"), scope.one("root")
        directive = alias or root
        if directive is None:
            return None
        base = scope.resolved(directive.first())
        if base is None or "{" in spot.path:
            self._omit(directive, Weight.ROUTING, f"the directory of {spot.nginx_path} depends on the request")
            return None
        directory = _directory(base, spot, is_alias=alias is not None)
        if directory is None:
            message = f"{spot.path} is a file of another name, {base}"
            self._omit(directive, Weight.ROUTING, message, "give the file the name that clients ask for")
            return None
        answer = LocationAnswer(is_files=True)
        put(answer.settings, ("files",), directory, directive.at)
        index = scope.one("index")
        if index is not None and not index.first().startswith("index.html") and not spot.is_exact:
            html = next((name for name in index.arguments if name.endswith(_HTML)), None)
            if html not in (None, "index.html"):
                put(answer.settings, ("index",), html, index.at)
        listing = scope.one("autoindex")
        if listing is not None and listing.first() == "on":
            self._omit(listing, Weight.BEHAVIOUR, "directories are never listed")
        return answer

    def _omit(self, directive: Directive, weight: Weight, message: str, hint: str = "") -> None:
        self._omissions.add(weight, directive.at, f"{directive.written()}: {message}", hint)


def location_template(text: str, scope: Scope, captures: dict[str, str]) -> str | None:
    """Where a client is sent, as a template: the query goes along by itself."""
    for same in _SAME_QUERY:
        text = text.removesuffix(same)
    if text.endswith("$request_uri"):
        text = text.removesuffix("$request_uri") + "$uri"
    template = scope.template(text, captures)
    return None if template is None or "$" in template else template


def path_change(spot: Spot, uri: str, scope: Scope) -> dict[str, str] | None:
    """What `proxy_pass` with a path makes of the path: `strip` and `prefix`, or `rewrite`."""
    if "$" in uri:
        for same in _SAME_QUERY:
            uri = uri.removesuffix(same)
        template = scope.template(uri, spot.captures)
        return {"rewrite": _rooted(template)} if template is not None else None
    if uri == spot.nginx_path:
        return {}
    if spot.is_exact:
        return {"rewrite": braces(uri)}
    if spot.nginx_path.endswith("/") and not uri.endswith("/"):
        return {"rewrite": f"{braces(uri)}{{rest}}"}
    return {"strip": spot.path.rstrip("/"), "prefix": uri.rstrip("/")}


def _directory(base: str, spot: Spot, *, is_alias: bool) -> str | None:
    if not is_alias:
        below = spot.path if not spot.is_exact else posixpath.dirname(spot.path)
        return posixpath.join(base.rstrip("/") or "/", below.strip("/")).rstrip("/") or "/"
    if not spot.is_exact:
        return base if base == "/" else base.rstrip("/")
    if base.endswith("/"):
        return base.rstrip("/")
    same = posixpath.basename(base) == posixpath.basename(spot.path)
    return posixpath.dirname(base) if same else None


def _rooted(text: str) -> str:
    return text if text.startswith(("/", "{path}")) else f"/{text}"


def _anchored(expression: str) -> str:
    """A rewrite that is not anchored is mostly meant to begin at the path's beginning."""
    return expression if expression.startswith("^") or not expression.startswith("/") else f"^{expression}"
