"""Directives of Caddy that answer: `reverse_proxy`, `file_server`, `redir`, `respond` and their kin → rules."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

from lb.importing.caddy.placeholders import location_template
from lb.importing.caddy.proxies import ProxyReader
from lb.importing.caddy.syntax import CaddyLine
from lb.importing.draft import Backend, DraftCondition, Rule, Said, Settings, get, put
from lb.importing.omissions import Omissions, Weight

_REDIRECTS = {"permanent": 301, "temporary": 302, "301": 301, "302": 302, "303": 303, "307": 307, "308": 308}
_PATHS = ("strip", "prefix", "rewrite")


@dataclass(slots=True)
class Made:
    """An answer: `refuses` says that it is 4xx or 5xx, or nothing at all."""

    backend: Backend | None = None
    settings: Settings = field(default_factory=dict)
    is_files: bool = False
    refuses: bool = False


class AnswerMaker:
    """Makes answers of directives, and rules of answers."""

    def __init__(self, proxies: ProxyReader, omissions: Omissions) -> None:
        self._proxies = proxies
        self._omissions = omissions

    def refuses(self, line: CaddyLine) -> bool:
        """Whether a directive keeps clients out."""
        codes = [word for word in line.rest if word.isdecimal()]
        return line.name in ("abort", "error") or (line.name == "respond" and any(one[0] in "45" for one in codes))

    def answer(self, line: CaddyLine, arguments: tuple[str, ...], captures: Mapping[str, str]) -> Made | None:
        """What a directive answers; None if lb has nothing like it (an omission says so)."""
        if self.refuses(line):
            codes = [word for word in arguments if word.isdecimal()]
            made = Made(refuses=True)
            note = f"{codes[-1]} in Caddy, 403 in lb" if codes and codes[-1] != "403" else ""
            put(made.settings, ("deny",), True, line.at, note=note)
            return made
        match line.name:
            case "reverse_proxy" | "php_fastcgi":
                settings: Settings = {}
                backend = self._proxies.read(line, arguments, settings)
                return Made(backend, settings) if backend is not None else None
            case "redir":
                return self._redirect(line, arguments, captures)
            case "file_server":
                return self._files(line, arguments)
            case "metrics":
                self._omit(Weight.TUNING, line, "lb has no counterpart", "write admin: 127.0.0.1:9180; it has /metrics")
            case "respond":
                hint = "let the app answer, or write the text into a file and serve it with files"
                self._omit(Weight.ROUTING, line, "lb answers nothing by itself", hint)
            case _:
                self._omit(Weight.BEHAVIOUR, line, "lb has no counterpart")
        return None

    def finished(self, made: Made, condition: DraftCondition, settings: Settings, line: CaddyLine) -> Rule:
        """The rule of an answer at a condition, with the settings of all that was changed on the way."""
        root, tried = settings.pop("root", None), settings.pop("tried", None)
        rule = Rule(condition, line.at, made.backend, settings)
        deny = get(settings, "deny")
        if deny is not None and deny.value is True:
            rule.backend, rule.settings = None, {"deny": deny}
        elif made.is_files:
            self._place(rule, root, tried)
        elif "redirect" in settings:
            for key in (*_PATHS, "limits", "timeouts"):
                settings.pop(key, None)
        return rule

    def _redirect(self, line: CaddyLine, arguments: tuple[str, ...], captures: Mapping[str, str]) -> Made | None:
        location = location_template(arguments[0], captures) if arguments else None
        code = arguments[1] if len(arguments) > 1 else "302"
        if location is None or code not in _REDIRECTS:
            self._omit(Weight.ROUTING, line, "the target or the status has no counterpart")
            return None
        made = Made()
        put(made.settings, ("redirect",), location, line.at)
        put(made.settings, ("status",), _REDIRECTS[code], line.at)
        return made

    def _files(self, line: CaddyLine, arguments: tuple[str, ...]) -> Made:
        made = Made(is_files=True)
        if "browse" in arguments:
            self._omit(Weight.BEHAVIOUR, line, "directories are never listed")
        for one in line.block or ():
            match one.name:
                case "root" if one.rest:
                    made.settings["root"] = Said(one.rest[0], (one.at,))
                case "index" if one.rest and one.rest[0] != "index.html":
                    put(made.settings, ("index",), one.rest[0], one.at)
                case "hide":
                    self._omit(Weight.ACCESS, one, "files are hidden by a dot before their names")
                case "pass_thru":
                    self._omit(
                        Weight.ROUTING, one, "a file that is not there gets 404", "write routes for what is there"
                    )
                case "browse" | "status":
                    self._omit(Weight.BEHAVIOUR, one, "lb has no counterpart")
        return made

    def _place(self, rule: Rule, root: Said | None, tried: Said | None) -> None:
        """Which directory serves a path, and what stands for files that are not there."""
        settings = rule.settings
        path = rule.condition.path
        strip = get(settings, "strip")
        base = str(root.value) if root is not None else "."
        if strip is not None:
            path = path.removeprefix(str(strip.value)) or "/"
        if "{" in path.replace("${", "") or "{" in base.replace("${", "") or "rewrite" in settings:
            self._omissions.add(Weight.ROUTING, rule.at, f"{rule.condition.path}: the files depend on the request")
        is_exact = not rule.condition.path.endswith("/")
        below = posixpath.dirname(path) if is_exact else path
        directory = posixpath.join(base.rstrip("/") or "/", below.strip("/")).rstrip("/") or "/"
        for key in (*_PATHS, "limits", "timeouts"):
            settings.pop(key, None)
        settings["files"] = Said(directory, root.at if root is not None else (rule.at,))
        if tried is not None and not is_exact:
            inside = posixpath.relpath(str(tried.value), below)
            if not inside.startswith(".."):
                settings["fallback"] = Said(inside, tried.at)

    def _omit(self, weight: Weight, line: CaddyLine, message: str, hint: str = "") -> None:
        self._omissions.add(weight, line.at, f"{line.written()}: {message}", hint)
