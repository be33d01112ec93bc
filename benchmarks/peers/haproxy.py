"""HAProxy: one thread, its HTTP log to a file (through standard output), pools that any client's request may use."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.peers.base import Launch, Peer, Setup, first_line

_CONFIGURATION = """\
global
  nbthread 1
  maxconn 9000
  log stdout len 4096 format raw local0 info
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  log global
  option httplog
  option http-keep-alive
  http-reuse always
  timeout connect 60s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive 75s
frontend door
  bind 127.0.0.1:{http} backlog 4096
  bind 127.0.0.1:{https} backlog 4096 ssl crt {both} alpn http/1.1
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
  compression algo gzip
  compression type text/html
  default_backend instances
backend instances
  balance roundrobin
{instances}
"""


class HAProxy(Peer):
    """See the file's head."""

    name = "haproxy"
    program = "haproxy"

    def version(self) -> str:
        return first_line((self.program, "-v")).split(" - ")[0]

    def prepare(self, setup: Setup, directory: Path, http: int, https: int) -> Launch:
        path = directory / "haproxy.cfg"
        path.write_text(
            _CONFIGURATION.format(
                http=http,
                https=https,
                both=setup.certificate.both,
                instances="\n".join(f"  server i{port} 127.0.0.1:{port} pool-max-conn 128" for port in setup.instances),
            )
        )
        return Launch((shutil.which(self.program) or self.program, "-db", "-f", path))
