"""`lb demo`: a whole service on localhost, with three small app instances and a certificate of the local authority."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIG_IGN, SIGHUP, SIGINT, SIGTERM, signal
from typing import IO

import click

from lb.cli.exits import FAILED, fail
from lb.cli.running import refuse, serve_config
from lb.config.load import load_file
from lb.config.model import Config, Listen, ListenAddress, Tls
from lb.config.plan import make_plan
from lb.config.problems import ConfigErrors
from lb.control.service import Service
from lb.control.supervisor import Stopping
from lb.tls.files.local_ca import LocalCa

CONFIGURATION = Path(__file__).with_name("demo.yaml")
_SHOWN_AS = Path("config/demo.yaml")  # where the project's tree has the same file
_SIGNALS = frozenset({SIGINT, SIGTERM, SIGHUP})
_STOP_TIMEOUT = 3.0  # seconds that an instance has to end


@dataclass(frozen=True, slots=True)
class _Instance:
    """`variable` is the one through which demo.yaml gets the port."""

    name: str
    environment: str
    port: int
    variable: str


_INSTANCES = (
    _Instance("one", "production", 9001, "LB_DEMO_ONE"),
    _Instance("two", "production", 9002, "LB_DEMO_TWO"),
    _Instance("three", "staging", 9003, "LB_DEMO_THREE"),
)


@click.command()
@click.option("--http", metavar="ADDRESS", help="Where to listen for HTTP; 127.0.0.1:8080 if not given.")
@click.option("--https", metavar="ADDRESS", help="Where to listen for HTTPS; 127.0.0.1:8443 if not given.")
def demo(http: str | None, https: str | None) -> None:
    """Serve a small app on http://localhost:8080 and https://localhost:8443. Ctrl-C ends it.

    It has two production instances and a staging one, and shows what an app behind lb receives. The local authority
    signs its certificate, and is created in certs/ if there is none; `lb certs trust` makes this machine trust it. The
    configuration is config/demo.yaml.
    """
    asked = {"LB_DEMO_HTTP": http, "LB_DEMO_HTTPS": https}
    environ = os.environ | {name: value for name, value in asked.items() if value}
    config = _load(environ)  # rejects a wrong address before anything is started
    _make_authority(config.tls)
    with suppress(_Stopped), _stopped_by_signals(), _instances() as ports:
        config = _load(environ | ports)
        if not http and not https:
            config = _on_ipv6_too(config)
        status = serve_config(make_plan(config), Stopping(_SIGNALS), more=_what_to_try)
        raise click.exceptions.Exit(status)


class _Stopped(BaseException):
    """A signal has ended the demo before it served."""


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Until the service handles signals, a signal ends the demo, and with it the instances, by an exception."""

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


def _on_ipv6_too(config: Config) -> Config:
    """The same ports on [::1] if this machine has it: `localhost` may mean that address."""
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return config
    http, https = (
        (*bound, *(ListenAddress(host="::1", port=one.port) for one in bound))
        for bound in (config.listen.http, config.listen.https)
    )
    return config.model_copy(update={"listen": Listen(http=http, https=https)})


def _load(environ: Mapping[str, str]) -> Config:
    try:
        return load_file(CONFIGURATION, environ).config
    except ConfigErrors as errors:
        refuse(errors)


def _make_authority(tls: Tls) -> None:
    try:
        LocalCa(tls.store).ensure_root()
    except OSError as error:
        directory = tls.store.resolve()
        fail(f"no certificate can be made in {directory}: {error.strerror}; use a directory of your own", FAILED)


@contextmanager
def _instances() -> Iterator[dict[str, str]]:
    """Starts the app's instances, yields the variables with their ports, and ends them after the block."""
    processes: list[subprocess.Popen[str]] = []
    try:
        for instance in _INSTANCES:
            processes.append(_start(instance))  # noqa: PERF401  if one fails, those started before it are ended, too
        yield {instance.variable: _port(process) for instance, process in zip(_INSTANCES, processes, strict=True)}
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_TIMEOUT)
            process.kill()
            process.wait()


def _start(instance: _Instance) -> subprocess.Popen[str]:
    """In a process group of its own: Ctrl-C goes to lb alone, and the instances end after their last requests."""
    options = (f"--port={instance.port}", f"--name={instance.name}", f"--environment={instance.environment}")
    return subprocess.Popen(  # noqa: S603  nothing in it comes from outside
        [sys.executable, "-m", "lb.cli.demo_app", *options],
        stdin=subprocess.PIPE,  # it closes when lb ends, in whatever way, and the instance then ends too
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def _port(process: subprocess.Popen[str]) -> str:
    """The port that the instance reports when it serves; if it does not start, its own error is on stderr."""
    line = _pipe(process.stdout).readline()
    if not line.startswith("listening on "):
        fail("an instance of the demo's app did not start; the reason is shown above", FAILED)
    return line.split()[-1]


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None  # noqa: S101  PIPE was requested
    return stream


def _what_to_try(service: Service) -> list[str]:
    """The part of the banner that a visitor needs."""
    ports = {one.scheme: one.port for one in service.bound}
    root = LocalCa(service.plan.tls.settings.store).root
    lines = ["", "try in a browser (HTTPS warns until this machine trusts the local authority: lb certs trust):"]
    for host, environment in (("localhost", "production"), ("stg-demo.localhost", "staging")):
        urls = f"http://{host}:{ports['http']}/", f"https://{host}:{ports['https']}/"
        lines.append(f"  {urls[0]:<34} {urls[1]:<35} {environment}")
    lines.append("or in another terminal:")
    for host, environment in (("demo.localhost", "production"), ("stg-demo.localhost", "staging")):
        lines.append(f"  curl -H 'Host: {host}' http://127.0.0.1:{ports['http']}/json   # {environment}")
        to = f"--connect-to {host}:443:127.0.0.1:{ports['https']}"
        lines.append(f"  curl --cacert {root} {to} https://{host}/json   # {environment}")
    lines.append(f"the configuration, to copy: {_shown()}")
    lines.append("Ctrl-C ends it")
    return [*lines, ""]


def _shown() -> Path:
    """The configuration's path as the project's tree has it, when we are in that tree."""
    return _SHOWN_AS if _SHOWN_AS.exists() and _SHOWN_AS.samefile(CONFIGURATION) else CONFIGURATION
