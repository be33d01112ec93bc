"""One sentence of cause and one next step for each way in which a start fails."""

from __future__ import annotations

from typing import Any

import pytest

from lb.apps.run.exit import Exit
from lb.apps.run.http_question import StartAnswer
from lb.apps.run.listening import AppListener
from lb.apps.run.order import Network
from lb.apps.run.start_failure import FUNCTIONS, PING, StartSeen, report

NOBODY = StartAnswer(problem="Connection refused")


def seen(*lines: str, **more: Any) -> StartSeen:
    given: dict[str, Any] = {
        "name": "web1",
        "host": "shop.example.com",
        "port": 21003,
        "network": Network.HOST,
        "timeout": 30.0,
    }
    return StartSeen(**{**given, **more}, lines=lines)


def answer(status: int, uri: str = "/", **more: str) -> dict[str, Any]:
    return {"answers": ((PING, StartAnswer(404, connected=True)), (uri, StartAnswer(status, connected=True, **more)))}


@pytest.mark.parametrize(
    ("case", "sentence", "step"),
    [
        (seen("x", exit=Exit(status=3)), "web1 exited with status 3.", "Its last lines say what it was doing."),
        (
            seen("ValueError: bad", exit=Exit(status=1)),
            "web1 exited with status 1: ValueError: bad.",
            "Its last lines",
        ),
        (seen(exit=Exit(signal=11)), "web1 was killed by SIGSEGV.", "Start the project by hand"),
        (
            seen(exit=Exit(status=0)),
            "web1 left the foreground: its start command ended with status 0.",
            "Remove --daemon",
        ),
        (seen(exit=Exit(status=0, left=2)), "web1 left the foreground", "Remove --daemon"),
        (
            seen(exit=Exit(cause="start", detail="/x/python is not there")),
            "web1 could not be started: /x/python is not there.",
            "Check the command of `run`",
        ),
        (seen(exit=Exit(cause="memory", detail="512 MB")), "web1 was killed for memory (512 MB).", "Raise `memory`"),
        (
            seen(exit=Exit(cause="processes", detail="512")),
            "web1 was ended because it had more than 512 processes.",
            "lb doctor",
        ),
        (
            seen("ModuleNotFoundError: No module named 'flask.views'", exit=Exit(status=3)),
            "web1 exited with status 3: the module flask.views is not installed.",
            "Add flask to requirements.txt",
        ),
        (
            seen("ImportError: No module named flask", exit=Exit(status=3)),  # Python 2.7
            "web1 exited with status 3: the module flask is not installed.",
            "Add flask to requirements.txt",
        ),
        (
            seen("Failed to find attribute 'application' in 'wsgi'.", exit=Exit(status=4)),
            "web1 exited with status 4: wsgi.py has no `application`.",
            "Give the app the name `application` in wsgi.py.",
        ),
        (
            seen(
                'ERROR:    Error loading ASGI app. Attribute "application" not found in module "asgi".',
                exit=Exit(status=1),
            ),
            "web1 exited with status 1: asgi.py has no `application`.",
            "Give the app the name `application` in asgi.py.",
        ),
        (
            seen("OSError: [Errno 98] Address already in use", exit=Exit(status=1)),
            "web1 exited with status 1: the port that it listens on is taken.",
            "Let it listen on the port in LEANCLOUD_APP_PORT, or set `network: private`",
        ),
        (
            seen(),
            "web1 listened on nothing within 30 s; it should listen on LEANCLOUD_APP_PORT 21003.",
            "If it only needs longer",
        ),
        (
            seen(port=0),
            "web1 listened on nothing within 30 s; it should listen on its Unix socket.",
            "If it only needs longer",
        ),
        (
            seen(listeners=(AppListener("127.0.0.1", 8000),), answers=((PING, NOBODY),)),
            "web1 listens on 127.0.0.1:8000, not on LEANCLOUD_APP_PORT 21003.",
            "Let it listen on the port in LEANCLOUD_APP_PORT",
        ),
        (
            seen(listeners=(AppListener("0.0.0.0", 3000),)),
            "web1 listens on 0.0.0.0:3000, not on LEANCLOUD_APP_PORT 21003.",
            "or set `network: private`, which gives such an app port 3000 of its own.",
        ),
        (
            seen(listeners=(AppListener("::", 5000),), network=Network.PRIVATE),
            "web1 listens on [::]:5000, not on",
            "Let it listen on the port in LEANCLOUD_APP_PORT, which is 3000.",
        ),
        (
            seen(answers=((PING, StartAnswer(problem="no answer within 10 s", connected=True)),)),
            "web1 listens, but did not answer in 30 s: no answer within 10 s.",
            "If it only needs longer",
        ),
        (
            seen("Invalid HTTP_HOST header: 'shop.example.com'", **answer(400, body="DisallowedHost at /")),
            "web1 answers 400 to GET /: Django does not allow the host shop.example.com.",
            "Add 'shop.example.com' to ALLOWED_HOSTS.",
        ),
        (
            seen(proto="https", **answer(301, location="https://shop.example.com/")),
            "web1 answers 301 to GET /, a redirect to https://shop.example.com/.",
            "SECURE_PROXY_SSL_HEADER",
        ),
        (
            seen(**answer(302, location="/login")),
            "web1 answers 302 to GET /, a redirect to /login.",
            "Set `health_uri` to a path that answers 2xx, or let the app answer /__engine/1/ping.",
        ),
        (seen(**answer(404)), "web1 answers 404 to GET / (Host: shop.example.com).", "Set `health_uri`"),
        (seen(**answer(500)), "web1 answers 500 to GET /.", "The app fails in this request"),
        (
            seen("TypeError: FastAPI.__call__() missing 1 required positional argument: 'send'", **answer(500)),
            "web1 answers 500 to GET /: `application` is an ASGI app (FastAPI).",
            "Rename wsgi.py to asgi.py, or set `server: uvicorn`",
        ),
        (
            seen(answers=((PING, StartAnswer(200, connected=True)), (FUNCTIONS, StartAnswer(401, connected=True)))),
            f"web1 answers 401 to GET {FUNCTIONS}, and functionsMode is strict.",
            "functionsMode: disabled",
        ),
        (
            seen("OSError: [Errno 98] Address already in use", exit=Exit(status=1), owner="nginx (process 7)"),
            "web1 could not have port 21003: nginx (process 7) listens on it.",
            "Choose other engine.ports",
        ),
    ],
)
def test_each_failure_has_its_sentence_and_its_step(case: StartSeen, sentence: str, step: str) -> None:
    found = report(case)
    assert sentence in found.sentence
    assert step in found.next_step


def test_only_a_taken_port_is_worth_another_trial() -> None:
    words = "Address already in use"
    assert report(seen(words, exit=Exit(status=1), owner="nginx (process 7)")).again
    assert not report(seen(words, exit=Exit(status=1))).again
    assert not report(seen("ValueError", exit=Exit(status=1), owner="nginx (process 7)")).again
    assert report(seen(owner="nginx (process 7)")).again


def test_it_fits_a_screen() -> None:
    found = report(seen(*(f"line {number}" for number in range(100)), exit=Exit(status=1)))
    assert found.lines == tuple(f"line {number}" for number in range(80, 100))
    assert len(found.screen().splitlines()) == 23
    assert report(seen(exit=Exit(status=1))).screen().endswith("It wrote nothing.")
    assert "Its last line:\n    one" in report(seen("one", exit=Exit(status=1))).screen()
