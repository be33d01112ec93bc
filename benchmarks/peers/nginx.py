"""nginx: one worker, unbuffered access log (its default), TLS 1.3 enabled because Debian's 1.22 does not by default.

Responses are buffered, as is nginx's default. Uploads are passed on as they arrive, as by every other proxy here, in
pieces of 1 MB: with the default of 16 KB they cost nginx three times as much, and the comparison is with nginx at its
best.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from benchmarks.files import PREFIX
from benchmarks.peers.base import Launch, Peer, Setup, first_line

_CONFIGURATION = """\
worker_processes 1;
worker_rlimit_nofile 20000;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
{user}
events {{ worker_connections 10000; }}
http {{
  default_type application/octet-stream;
  access_log {directory}/access.log combined;
  client_body_temp_path {directory}/client;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  client_max_body_size 200m;
  client_body_buffer_size 1m;
  keepalive_timeout 75s;
  keepalive_requests 100000000;
  tcp_nodelay on;
  gzip on;
  gzip_types text/html;
  gzip_proxied any;
  gzip_vary on;
  ssl_protocols TLSv1.2 TLSv1.3;
  upstream instances {{
{instances}
    keepalive 128;
    keepalive_requests 100000000;
  }}
  server {{
    listen 127.0.0.1:{http} backlog=4096;
    listen 127.0.0.1:{https} ssl backlog=4096;
    server_name {domains};
    ssl_certificate {cert};
    ssl_certificate_key {key};
{files}
    location / {{
      proxy_pass http://instances;
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
    }}
  }}
}}
"""

# What nginx has for files, all of it on: they stay open, nothing is copied, compressed siblings are looked for.
_FILES = """\
    location {prefix} {{
      alias {files}/;
      sendfile on;
      tcp_nopush on;
      open_file_cache max=1000 inactive=20s;
      open_file_cache_valid 1s;
      open_file_cache_min_uses 1;
      gzip_static on;
      types {{ text/html html; }}
      add_header X-Content-Type-Options nosniff;
    }}"""


class Nginx(Peer):
    """See the file's head."""

    name = "nginx"
    program = "nginx"

    def version(self) -> str:
        return first_line((self.program, "-v")).removeprefix("nginx version: ")

    def prepare(self, setup: Setup, directory: Path, http: int, https: int) -> Launch:
        path = directory / "nginx.conf"
        path.write_text(
            _CONFIGURATION.format(
                directory=directory,
                files=_FILES.format(prefix=PREFIX, files=setup.files) if setup.files else "",
                user="user root;" if os.geteuid() == 0 else "",
                instances="\n".join(f"    server 127.0.0.1:{port};" for port in setup.instances),
                http=http,
                https=https,
                domains=" ".join(setup.domains),
                cert=setup.certificate.cert,
                key=setup.certificate.key,
            )
        )
        return Launch((shutil.which(self.program) or self.program, "-p", directory, "-c", path, "-g", "daemon off;"))
