"""The unit files in config/: what systemd reads there is what lb does."""

from __future__ import annotations

import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from lb.cli.exits import BAD_CONFIGURATION, USAGE
from lb.cli.main import main
from lb.config.addresses import parse_listen

_CONFIG = Path(__file__).parents[3] / "config"


def unit(name: str) -> ConfigParser:
    parser = ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(_CONFIG / name)
    return parser


def test_the_service_does_what_the_program_can() -> None:
    service = unit("lb.service")["Service"]
    assert service["Type"] == "notify"
    assert service["KillMode"] == "mixed"
    for key in ("ExecStart", "ExecReload"):
        program, command, file = service[key].split()
        assert program.endswith("/lb")
        assert command in main.list_commands(None)  # type: ignore[arg-type]
        assert file == "/etc/lb/lb.yaml"
    assert service["RestartPreventExitStatus"].split() == [str(USAGE), str(BAD_CONFIGURATION)]
    assert service["RuntimeDirectory"] == "lb"  # where commands from outside of the unit look
    assert service["RuntimeDirectoryMode"] == "0700"
    assert service["AmbientCapabilities"] == service["CapabilityBoundingSet"] == "CAP_NET_BIND_SERVICE"


def test_every_socket_is_one_that_can_be_listened_on() -> None:
    lines = (_CONFIG / "lb.socket").read_text().splitlines()
    streams = [line.partition("=")[2] for line in lines if line.startswith("ListenStream=")]
    assert streams == ["80", "443"]
    for stream in streams:
        assert parse_listen(f":{stream}") == ("", int(stream))
    assert not any(line.startswith("Accept=") for line in lines)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize("name", ["lb.service", "lb.socket"])
def test_systemd_finds_nothing_wrong(tmp_path: Path, name: str) -> None:
    for one in ("lb.service", "lb.socket"):
        text = (_CONFIG / one).read_text()
        (tmp_path / one).write_text(text.replace("/opt/lb/bin/lb", "/bin/true"))
    asked = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / name)], capture_output=True, text=True, check=False
    )
    about_it = [line for line in asked.stderr.splitlines() if name in line]
    assert about_it == []
    assert asked.returncode == 0
