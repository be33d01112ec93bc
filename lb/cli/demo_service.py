"""The front door of `lb demo`, and what it tells a visitor.

It is imported after the engine was started: its imports take as long as a deploy.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from signal import Signals

import click

from lb.cli.exits import FAILED, fail
from lb.cli.running import serve_config
from lb.config.load import load_file
from lb.config.model import Config, Listen, ListenAddress, Tls
from lb.config.plan import Plan, make_plan
from lb.control.service import Service
from lb.control.supervisor import Stopping
from lb.tls.files.local_ca import LocalCa
from lb.tls.handshake.contexts import Contexts


def serve_demo(file: Path, signals: frozenset[Signals], wait: Callable[[], str], *, with_ipv6: bool) -> int:
    """Serves `file` until one of the signals; returns the exit status. `wait` returns when the first page can be shown,
    and what went wrong.
    """
    plan = _read(file, with_ipv6=with_ipv6)
    _make_authority(plan.config.tls)

    def more(service: Service) -> list[str]:
        if problem := wait():
            click.echo(f"lb: {problem}", err=True)
        return what_to_try(service, file)

    def again(_: Contexts) -> Plan:
        return _read(file, with_ipv6=with_ipv6)

    return serve_config(plan, Stopping(signals), file, more=more, source=partial(again))


def _read(file: Path, *, with_ipv6: bool) -> Plan:
    """The file as it is now. Raises ConfigErrors."""
    config = load_file(file, os.environ).config
    return make_plan(on_ipv6_too(config) if with_ipv6 else config)


def on_ipv6_too(config: Config) -> Config:
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


def _make_authority(tls: Tls) -> None:
    try:
        LocalCa(tls.store).ensure_root()
    except OSError as error:
        directory = tls.store.resolve()
        fail(f"no certificate can be made in {directory}: {error.strerror}; use a directory of your own", FAILED)


def what_to_try(service: Service, file: Path) -> list[str]:
    """The part of the banner that a visitor needs."""
    ports = {one.scheme: one.port for one in service.bound}
    root = LocalCa(service.plan.tls.settings.store).root
    lines = ["", "try in a browser (HTTPS warns until this machine trusts the local authority: lb certs trust):"]
    for host, shown in (("localhost", "production"), ("stg-demo.localhost", "staging"), ("hello.localhost", "WSGI")):
        urls = f"http://{host}:{ports['http']}/", f"https://{host}:{ports['https']}/"
        lines.append(f"  {urls[0]:<34} {urls[1]:<35} {shown}")
    lines.append("or in another terminal:")
    for host, environment in (("demo.localhost", "production"), ("stg-demo.localhost", "staging")):
        lines.append(f"  curl -H 'Host: {host}' http://127.0.0.1:{ports['http']}/json   # {environment}")
        to = f"--connect-to {host}:443:127.0.0.1:{ports['https']}"
        lines.append(f"  curl --cacert {root} {to} https://{host}/json   # {environment}")
    lines.append("then edit demo/web/asgi.py or demo/hello/wsgi.py, and deploy it:")
    lines.append(f"  lb deploy demo {file.parent / 'web'} --staging    # lb publish demo brings it to production")
    lines.append(f"  lb deploy hello {file.parent / 'hello'} --prod")
    lines.append(f"the configuration: {file}")
    lines.append("Ctrl-C ends it")
    return [*lines, ""]
