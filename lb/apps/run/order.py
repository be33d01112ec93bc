"""What one instance of an app is to be: the order that whoever starts it writes, and the promises that bound it.

Only types. Nothing here knows how an instance is started, what a deploy is, or where the engine keeps its files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from lb.apps.project.start import StartPlan

DEFAULT_PORTS = range(20000, 30000)
DEFAULT_QUOTA = 1 << 30  # bytes of files over the home directory and /tmp together
DEFAULT_PIDS = 512


class Network(StrEnum):
    """`HOST`: the machine's own network. `PRIVATE`: a network of its own, where every app may listen on port 3000."""

    HOST = "host"
    PRIVATE = "private"


class Isolation(StrEnum):
    """How much stands between an app and its machine; `AUTO` takes the best rung that holds."""

    AUTO = "auto"
    SYSTEMD = "systemd"
    BWRAP = "bwrap"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class PlatformVariables:
    """What the app learns of the platform (E1, E2); no custom variable can override it.

    `environment` is the value of LEANCLOUD_APP_ENV: `production`, `stage`, or `development` for `lb up`.
    """

    app_id: str
    app_key: str = field(repr=False)
    master_key: str = field(repr=False)
    hook_key: str = field(repr=False)
    environment: str
    region: str = "CN"
    timezone: str = "Asia/Shanghai"
    api_server: str = ""
    group: str = "web"
    version_tag: str = ""


@dataclass(frozen=True, slots=True)
class LogLimits:
    """G1 and G2: characters a line, lines a minute, seconds that lines are kept, bytes over all of one `log_dir`."""

    line: int = 4096
    rate: int = 600
    keep: float = 7 * 86400
    size: int = 100_000_000


@dataclass(frozen=True, slots=True)
class InstanceOrder:
    """One instance: which release, started how, with which variables, within which bounds.

    `project` is where the app's code is (the release's source with buildRoot applied), `memory` and `quota` are bytes,
    `variables` the custom ones. An order with `listens=False` (a worker of leanengine.yaml, `lb run`) gets no endpoint.
    """

    app: str
    environment: str  # "production" or "staging"
    name: str  # "web1"
    release: Path
    project: Path
    venv: Path
    start: StartPlan
    platform: PlatformVariables
    log_dir: Path
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    memory: int | None = None
    cpus: float | None = None
    quota: int | None = DEFAULT_QUOTA
    pids: int = DEFAULT_PIDS
    ports: range = DEFAULT_PORTS
    network: Network = Network.HOST
    logs: LogLimits = LogLimits()
    stop_timeout: float = 10.0
    isolation: Isolation = Isolation.AUTO
    listens: bool = True
    stdin: bool = False  # it is given standard input (`write_stdin`); else it finds it empty
    files_dir: Path | None = None  # where home and /tmp lie without a sandbox; by default beside log_dir


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """What is true of a started instance for as long as it lives, and written beside it for the engine's next start.

    `id` names it in the run directory, `token` is the mark that its processes carry, `endpoint` is `unix:/…/sock` or
    `127.0.0.1:21003` ("" if it does not listen), `started` seconds since the epoch.
    """

    id: str
    token: str
    app: str
    environment: str
    name: str
    tag: str
    release: str
    endpoint: str
    isolation: Isolation
    network: Network
    memory: int | None
    quota: int | None
    stop_timeout: float
    log_dir: str
    started: float
    scratch: str = ""  # the directory of home and tmp, where there is one
    group: str = ""  # its cgroup, where it has one of its own
