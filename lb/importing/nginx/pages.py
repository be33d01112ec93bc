"""`error_page` → `errors`: HTML files in place of error pages."""

from __future__ import annotations

import posixpath
from collections.abc import Callable

from lb.importing.draft import Settings, put
from lb.importing.nginx.scope import Scope
from lb.importing.nginx.syntax import Directive
from lb.importing.omissions import Omissions, Weight

_ERRORS = range(400, 600)
_OWN = frozenset(("413", "414", "429", "494", "502", "503", "504"))  # errors of the proxy, not of an app


class PageReader:
    """Finds the files of error pages; `find` is the block that answers for a path."""

    def __init__(self, omissions: Omissions, find: Callable[[str], Scope | None]) -> None:
        self._omissions = omissions
        self._find = find

    def read(self, directives: list[Directive], settings: Settings, scope: Scope) -> None:
        """Puts the pages that `error_page` names into the settings."""
        intercepts = scope.one("proxy_intercept_errors", "fastcgi_intercept_errors", "uwsgi_intercept_errors")
        replaces = intercepts is not None and intercepts.first() == "on"
        for one in directives:
            *codes, target = one.arguments
            statuses = [code for code in codes if code.isdecimal() and int(code) in _ERRORS]
            if "401" in codes and any(code.startswith("=") for code in codes):
                continue  # part of auth_request, where it is told
            file = self._file(target, scope) if not any(code.startswith("=") for code in codes) else None
            if file is None:
                message = f"{one.written()}: only an HTML file can stand for an error"
                hint = "write errors: {404: FILE}; the app's own page is sent without it"
                self._omissions.add(Weight.BEHAVIOUR, one.at, message, hint)
                continue
            theirs = [] if replaces else [status for status in statuses if status not in _OWN]
            if theirs:
                message = f"{one.written()}: for {', '.join(theirs)} the app's own page is sent, as nginx does it"
                hint = "add them to errors if the page is to stand for the app's, too"
                self._omissions.add(Weight.TUNING, one.at, message, hint)
            for status in (status for status in statuses if status not in theirs):
                put(settings, ("errors", status), file, one.at)

    def _file(self, target: str, server: Scope) -> str | None:
        if not target.startswith("/") or "$" in target:
            return None
        scope = self._find(target) or server
        alias, root = scope.own_one("alias"), scope.one("root")
        if alias is not None and not alias.first().endswith("/"):
            return scope.resolved(alias.first())
        if root is None:
            return None
        base = scope.resolved(root.first())
        return posixpath.join(base, target.lstrip("/")) if base is not None else None
