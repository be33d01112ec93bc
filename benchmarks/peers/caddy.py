"""Caddy: held to one core by the scheduler and to one running thread by GOMAXPROCS, JSON access log to a file."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.peers.base import Launch, Peer, Setup, first_line

_CONFIGURATION = """\
{{
  admin off
  auto_https off
  storage file_system {directory}/storage
  servers {{
    protocols h1
  }}
}}
(door) {{
  bind 127.0.0.1
  log {{
    output file {directory}/access.log {{
      roll_disabled
    }}
  }}
  encode gzip
  reverse_proxy {instances} {{
    lb_policy round_robin
    header_up X-Real-IP {{remote_host}}
    transport http {{
      keepalive_idle_conns_per_host 128
      compression off
    }}
  }}
}}
http://:{http} {{
  import door
}}
https://:{https} {{
  tls {cert} {key}
  import door
}}
"""


class Caddy(Peer):
    """See the file's head."""

    name = "caddy"
    program = "caddy"

    def version(self) -> str:
        return "Caddy " + first_line((self.program, "version"))

    def prepare(self, setup: Setup, directory: Path, http: int, https: int) -> Launch:
        path = directory / "Caddyfile"
        path.write_text(
            _CONFIGURATION.format(
                directory=directory,
                instances=" ".join(f"127.0.0.1:{port}" for port in setup.instances),
                http=http,
                https=https,
                cert=setup.certificate.cert,
                key=setup.certificate.key,
            )
        )
        home = str(directory)
        env = {"GOMAXPROCS": "1", "HOME": home, "XDG_DATA_HOME": home, "XDG_CONFIG_HOME": home}
        return Launch(
            (shutil.which(self.program) or self.program, "run", "--config", path, "--adapter", "caddyfile"), env
        )
