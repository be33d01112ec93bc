"""From an instance's order to the shim's: which command, in which sandbox, with which environment and limits.

Decides and writes nothing but the server's configuration beside the instance. The result is plain JSON: the shim may be
of another version than the engine that talks to it later.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lb.apps.project.start import Serving
from lb.apps.run import cgroup, sandbox
from lb.apps.run.isolation import IsolationLadder
from lb.apps.run.order import InstanceFacts, InstanceOrder, Isolation, Network
from lb.apps.run.run_directory import RunDirectory
from lb.apps.run.serve_command import SHELL, ServeCommand, ServerPlace, serve_command
from lb.apps.run.shim_child import OPTIONS
from lb.apps.run.variables import SOCKET_PORT, AppPlaces, environment, places_in

_PASTA = ("-q", "-f", "--config-net", "-u", "none", "-T", "none", "-U", "none")


@dataclass(frozen=True, slots=True)
class AppCommand:
    """What is started and how: `options` for a sandbox, `wrappers` processes between it and the app, `shell` if the
    app is a shell's child.
    """

    argv: tuple[str, ...]
    environment: dict[str, str]
    cwd: str
    options: tuple[str, ...] = ()
    wrappers: int = 0
    shell: bool = False


def wants_port(order: InstanceOrder) -> bool:
    """Whether it listens on a port of the pool; servers of lb's choice have a Unix socket."""
    return order.listens and order.start.serving is Serving.COMMAND


def command(order: InstanceOrder, place: RunDirectory, ladder: IsolationLadder, port: int, mark: str) -> AppCommand:
    """The command for an order; `port` is 0 for one on a Unix socket. Writes the server's configuration."""
    python = str(order.venv / "bin" / "python")
    listen = ServerPlace(
        str(place.socket), python, str(place.server_config), f"{order.app}.{order.name}", order.stop_timeout
    )
    serve = serve_command(order.start, listen)
    if serve.config:
        place.server_config.write_text(serve.config)
    inside = SOCKET_PORT if order.network is Network.PRIVATE or not port else port
    if ladder.bwrap:
        found = _sandboxed(order, place, ladder, serve, mark, inside)
    else:
        places = places_in(scratch(order, place), inside)
        found = AppCommand(serve.argv, environment(order, places, mark), str(order.project), shell=serve.shell)
    return _with_network(found, ladder, port) if order.network is Network.PRIVATE and port else found


def scratch(order: InstanceOrder, place: RunDirectory) -> Path:
    """Where home and tmp lie without a sandbox: on a disk, which the run directory need not be."""
    return (order.files_dir or order.log_dir.parent / "files") / place.id


def _sandboxed(
    order: InstanceOrder, place: RunDirectory, ladder: IsolationLadder, serve: ServeCommand, mark: str, port: int
) -> AppCommand:
    places = AppPlaces(sandbox.HOME, sandbox.TMP, port)
    prefix = sandbox.python_prefix(order.venv / "bin" / "python")
    readable = [order.release, order.venv]
    readable += [prefix] if prefix is not None else []
    readable += [place.server_config] if serve.config else []
    view = sandbox.View(order.project, tuple(readable), (place.app,), order.quota)
    return AppCommand(
        (ladder.bwrap, "--args", str(OPTIONS), "--", *serve.argv),
        {},
        "/",
        tuple(sandbox.options(view, environment(order, places, mark))),
        sandbox.LEVELS,
        serve.shell,
    )


def _with_network(found: AppCommand, ladder: IsolationLadder, port: int) -> AppCommand:
    """A network of its own, in which only its port 3000 is reached. The first process there must pass signals on, which
    a shell's child gets from the shim.
    """
    # Root needs no user namespace for a network of its own, and in pasta's no sandbox could be made.
    as_user = ("--runas", "0:0", "--netns-only") if os.getuid() == 0 else ()
    inner = found.argv if found.wrappers else (SHELL, "-c", '"$@"; exit $?', "sh", *found.argv)
    argv = (ladder.pasta, *as_user, *_PASTA, "-t", f"127.0.0.1/{port}:{SOCKET_PORT}", "--", *inner)
    return AppCommand(
        argv, found.environment, found.cwd, found.options, found.wrappers + 1, found.shell or not found.wrappers
    )


def shim_order(
    order: InstanceOrder, facts: InstanceFacts, found: AppCommand, ladder: IsolationLadder, stdin: str = ""
) -> dict[str, Any]:
    """What the shim reads on its standard input; `stdin` is the path of the app's, "" for none."""
    held = ladder.cgroups.controllers if facts.group else frozenset()
    scoped = bool(ladder.scope)
    memory = order.memory or 0
    kernel_memory = memory if scoped or "memory" in held else 0
    watched_files = [f"{facts.scratch}/{name}" for name in ("home", "tmp")] if facts.scratch else []
    return {
        "v": 1,
        "id": facts.id,
        "argv": list(found.argv),
        "args": list(found.options),
        "env": found.environment,
        "cwd": found.cwd,
        "stdin": stdin,
        "wrappers": found.wrappers,
        "shell": found.shell,
        "grace": order.stop_timeout,
        "cgroups": [facts.group] if facts.group else [],
        "scope": "/sys/fs/cgroup" if scoped else "",
        "limits": {
            "memory": 0 if kernel_memory else memory,
            "cgroup_memory": kernel_memory,
            "pids": order.pids,
            "quota": order.quota or 0,
            "file_size": (order.quota or 0) if watched_files else 0,
            "paths": watched_files,
        },
        "log": {
            "directory": facts.log_dir,
            "name": order.name,
            "tag": facts.tag,
            "line": order.logs.line,
            "rate": order.logs.rate,
            "keep": order.logs.keep,
            "size": order.logs.size,
        },
        "facts": asdict(facts),
    }


def instance_group(order: InstanceOrder, ladder: IsolationLadder, ident: str) -> Path | None:
    """The cgroup of an instance, where there may be one and no scope does its work."""
    if ladder.scope or order.isolation is Isolation.NONE:
        return None
    return cgroup.make(ladder.cgroups, f"lb-instance-{ident}", order.memory, order.cpus, order.pids)
