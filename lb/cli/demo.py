"""`lb demo`: a whole service on localhost, with two small apps that an engine of its own runs, and a certificate of the
local authority.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from signal import SIG_IGN, SIGHUP, SIGINT, SIGTERM, signal

import click

from lb.cli.demo_deploys import CONFIGURATION, PLACE, bring_up, write_demo
from lb.cli.demo_engine import DemoEngine, DemoOrder
from lb.cli.exits import BAD_CONFIGURATION, FAILED, fail
from lb.config.load import load_file
from lb.config.model import Config
from lb.config.problems import ConfigErrors

_SIGNALS = frozenset({SIGINT, SIGTERM, SIGHUP})
_SERVERS = ("gunicorn", "uvicorn")


@click.command()
@click.option("--http", metavar="ADDRESS", help="Where to listen for HTTP; 127.0.0.1:8080 if not given.")
@click.option("--https", metavar="ADDRESS", help="Where to listen for HTTPS; 127.0.0.1:8443 if not given.")
def demo(http: str | None, https: str | None) -> None:
    """Serve two small apps on http://localhost:8080 and https://localhost:8443. Ctrl-C ends it.

    An engine of its own deploys them from demo/: an ASGI app, to production and staging, which shows what an app behind
    lb receives, and a WSGI app. Edit a file there and deploy it with lb deploy. The configuration is demo/lb.yaml. What
    is in demo/ already is used as it is. The local authority signs the certificate, and is created in certs/ if there
    is none; `lb certs trust` makes this machine trust it.
    """
    asked = {"LB_DEMO_HTTP": http, "LB_DEMO_HTTPS": https}
    os.environ.update({name: value for name, value in asked.items() if value})
    _load(CONFIGURATION)  # rejects a wrong address before anything is written
    if any(find_spec(name) is None for name in _SERVERS):
        fail("the demo needs gunicorn and uvicorn: pip install 'lb-proxy[engine]'", FAILED)
    _write()
    file = PLACE / "lb.yaml"
    with suppress(_Stopped), _stopped_by_signals(), _engine(file, _load(file)) as engine:
        from lb.cli.demo_service import serve_demo  # noqa: PLC0415  the engine works meanwhile

        raise click.exceptions.Exit(serve_demo(file, _SIGNALS, engine.wait, with_ipv6=not http and not https))


class _Stopped(BaseException):
    """A signal has ended the demo before it served."""


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Until the service handles signals, a signal ends the demo, and with it the engine, by an exception."""

    def stop(_number: int, _frame: object) -> None:
        for number in _SIGNALS:
            signal(number, SIG_IGN)  # one signal is enough
        raise _Stopped

    before = {number: signal(number, stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal(number, handler)


def _load(file: Path) -> Config:
    try:
        return load_file(file, os.environ).config
    except ConfigErrors as errors:
        for problem in (*errors.problems, *errors.warnings):
            click.echo(str(problem), err=True)
        raise click.exceptions.Exit(BAD_CONFIGURATION) from None


def _load_again(file: Path) -> Config:
    return load_file(file, os.environ).config


def _write() -> None:
    try:
        write_demo()
    except OSError as error:
        directory = PLACE.resolve()
        fail(f"the demo cannot be written to {directory}: {error.strerror}; use a directory of your own", FAILED)


@contextmanager
def _engine(file: Path, config: Config) -> Iterator[DemoEngine]:
    try:
        engine = DemoEngine(DemoOrder(file, config, partial(_load_again, file), bring_up))
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        fail(f"the demo's engine cannot start: {error.strerror}{where}", FAILED)
    try:
        yield engine
    finally:
        engine.close()
