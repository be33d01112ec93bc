"""Why an instance did not become healthy: one sentence of cause, the step that mends it, and what it said last.

Pure: whoever calls it has looked. The first rule that fits wins, so the surest come first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from lb.apps.run.exit import Exit
from lb.apps.run.http_question import StartAnswer
from lb.apps.run.listening import AppListener
from lb.apps.run.order import Network
from lb.apps.run.telling_lines import telling
from lb.apps.run.variables import SOCKET_PORT

LINES = 20  # that are shown
KEPT = 200  # that are looked at: what tells something may lie before much that does not
PING = "/__engine/1/ping"
FUNCTIONS = "/1.1/functions/_ops/metadatas"

_IN_USE = re.compile(r"address already in use|errno 98|EADDRINUSE|Connection in use|cannot assign.*port", re.IGNORECASE)
_NO_MODULE = re.compile(r"(?:ModuleNotFoundError|ImportError): No module named '?([\w.]+)'?")
_NO_APPLICATION = re.compile(
    r"Failed to find attribute '(\w+)' in '([\w.]+)'|Attribute \"(\w+)\" not found in module \"([\w.]+)\""
)
_ASGI_APP = re.compile(r"(\w+)?\.?__call__\(\) missing 1 required positional argument: 'send'")
_EXCEPTION = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt)\b.*")


@dataclass(frozen=True, slots=True)
class StartSeen:
    """What was seen of a start. `exit` is None if it still ran; `answers` are the last ones, by what was asked;
    `port` is what it should have listened on (0: a Unix socket), `owner` who holds that port instead.
    """

    name: str
    host: str
    port: int
    network: Network
    timeout: float
    lines: Sequence[str]
    exit: Exit | None = None
    answers: tuple[tuple[str, StartAnswer], ...] = ()
    listeners: tuple[AppListener, ...] = ()
    owner: str = ""
    proto: str = "http"


@dataclass(frozen=True, slots=True)
class StartReport:
    """`again`: another port may help, so the start is worth one more trial."""

    sentence: str
    next_step: str
    lines: tuple[str, ...]
    again: bool = False

    def screen(self) -> str:
        """All of it, for a terminal."""
        said = "".join(f"\n    {line}" for line in self.lines)
        heard = (
            f"\nIts last {'line' if len(self.lines) == 1 else 'lines'}:{said}" if self.lines else "\nIt wrote nothing."
        )
        return f"{self.sentence}\n{self.next_step}{heard}"


def report(seen: StartSeen) -> StartReport:
    """The report of a start that failed."""
    lines = telling(seen.lines)[-LINES:]
    again = _port_was_taken(seen)
    sentence, step = (
        (_of_exit(seen, seen.exit) if seen.exit is not None else _of_silence(seen)) if not again else _of_port(seen)
    )
    return StartReport(f"{seen.name} {sentence}.", step, lines, again)


def _port_was_taken(seen: StartSeen) -> bool:
    return bool(seen.port and seen.owner and (seen.exit is None or _said(seen, _IN_USE)))


def _of_port(seen: StartSeen) -> tuple[str, str]:
    return (
        f"could not have port {seen.port}: {seen.owner} listens on it",
        "Choose other engine.ports, or end that process.",
    )


def _of_exit(seen: StartSeen, ended: Exit) -> tuple[str, str]:
    if ended.cause == "start":
        return ended.sentence(), "Check the command of `run` in leanengine.yaml, and that requirements.txt installs it."
    if ended.cause == "memory":
        return (
            ended.sentence(),
            "Raise `memory` of this environment, or let the app start fewer processes (WEB_CONCURRENCY).",
        )
    if ended.cause:
        return ended.sentence(), "lb doctor --engine shows the limits that hold here."
    if ended.status == 0:
        return "left the foreground: its start command ended with status 0", _STAY
    if _said(seen, _IN_USE):
        return f"{ended.sentence()}: the port that it listens on is taken", _port_step(seen)
    cause = _of_words(seen)
    if cause is not None:
        return f"{ended.sentence()}: {cause[0]}", cause[1]
    last = next((line.strip() for line in reversed(seen.lines) if _EXCEPTION.match(line.strip())), "")
    step = "Its last lines say what it was doing." if seen.lines else "Start the project by hand to see more: lb up."
    return f"{ended.sentence()}: {last}" if last else ended.sentence(), step


_STAY = "Remove --daemon (or -D): the command must stay in the foreground for as long as the app runs."


def _of_words(seen: StartSeen) -> tuple[str, str] | None:
    """What the app's own lines say, if one of them is known."""
    text = "\n".join(seen.lines)
    if found := _NO_MODULE.search(text):
        package = found[1].partition(".")[0]
        return f"the module {found[1]} is not installed", f"Add {package} to requirements.txt, or correct the import."
    if found := _NO_APPLICATION.search(text):
        name, module = found[1] or found[3], found[2] or found[4]
        return f"{module}.py has no `{name}`", f"Give the app the name `{name}` in {module}.py."
    if found := _ASGI_APP.search(text):
        return f"`application` is an ASGI app ({found[1] or 'of an unknown kind'})", (
            "Rename wsgi.py to asgi.py, or set `server: uvicorn` in leanengine.yaml."
        )
    return None


def _of_silence(seen: StartSeen) -> tuple[str, str]:
    """It runs, and was not healthy in time."""
    for uri, answer in seen.answers:
        if answer.status and uri == FUNCTIONS:
            return f"answers {answer.status} to GET {uri}, and functionsMode is strict", (
                "Integrate the SDK's middleware, or set `functionsMode: disabled` in leanengine.yaml."
            )
    answered = [(uri, answer) for uri, answer in seen.answers if answer.status]
    if answered:
        uri, answer = next(((uri, answer) for uri, answer in answered if uri != PING), answered[0])
        return _of_answer(seen, uri, answer)
    elsewhere = [listener for listener in seen.listeners if not seen.port or listener.port != seen.port]
    if any(answer.connected for _, answer in seen.answers):
        problem = next(answer.problem for _, answer in seen.answers if answer.connected)
        return f"listens, but did not answer in {seen.timeout:g} s: {problem}", _LONGER
    if elsewhere:
        where = ", ".join(str(listener) for listener in elsewhere)
        return f"listens on {where}, not on {_wanted(seen)}", _port_step(seen, elsewhere)
    return f"listened on nothing within {seen.timeout:g} s; it should listen on {_wanted(seen)}", _LONGER


_LONGER = "If it only needs longer, set `startupTimeout` (15 to 120 s) in leanengine.yaml."
_OTHER_URI = f"Set `health_uri` to a path that answers 2xx, or let the app answer {PING}."


def _of_answer(seen: StartSeen, uri: str, answer: StartAnswer) -> tuple[str, str]:
    text = "\n".join(seen.lines) + answer.body
    words = f"answers {answer.status} to GET {uri}"
    if answer.status == 400 and ("DisallowedHost" in text or "ALLOWED_HOSTS" in text or "Bad Request (400)" in text):
        return f"{words}: Django does not allow the host {seen.host}", f"Add '{seen.host}' to ALLOWED_HOSTS."
    if 300 <= answer.status < 400:
        return f"{words}, a redirect to {answer.location}", _redirect_step(seen, answer.location)
    cause = _of_words(seen)
    if answer.status >= 500 and cause is not None:
        return f"{words}: {cause[0]}", cause[1]
    if answer.status >= 500:
        return words, "The app fails in this request: its last lines may say why."
    return f"{words} (Host: {seen.host})", _OTHER_URI


def _redirect_step(seen: StartSeen, location: str) -> str:
    there = urlsplit(location)
    if there.scheme == "https" and there.hostname in (None, seen.host.partition(":")[0]) and seen.proto == "https":
        return (
            "The app redirects to HTTPS though the request came by HTTPS: let it trust X-Forwarded-Proto "
            "(Django: SECURE_PROXY_SSL_HEADER = ('HTTP_X_FORWARDED_PROTO', 'https'))."
        )
    return _OTHER_URI


def _wanted(seen: StartSeen) -> str:
    return f"LEANCLOUD_APP_PORT {seen.port}" if seen.port else "its Unix socket"


def _port_step(seen: StartSeen, elsewhere: Sequence[AppListener] = ()) -> str:
    step = "Let it listen on the port in LEANCLOUD_APP_PORT"
    if seen.network is Network.PRIVATE:
        return f"{step}, which is {SOCKET_PORT}."
    fixed = "an app with a fixed port" if not any(one.port == SOCKET_PORT for one in elsewhere) else "such an app"
    return f"{step}, or set `network: private`, which gives {fixed} port {SOCKET_PORT} of its own."


def _said(seen: StartSeen, what: re.Pattern[str]) -> bool:
    return any(what.search(line) for line in seen.lines)
