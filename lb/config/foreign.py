"""What people who know other proxies write → what it is here. A list of words, nothing else."""

from __future__ import annotations

_INSTANCES = "apps.<name>.production.instances"
_DOMAINS = "apps.<name>.domains"
_CERTIFICATES = "tls.certificates, a list of {cert: …, key: …}"
_TRUSTED = "trusted_proxies, with cdn: true on the domain"

FOREIGN_KEYS = {
    # nginx
    "client_max_body_size": "limits.body",
    "client_header_timeout": "timeouts.head",
    "client_body_timeout": "timeouts.read",
    "client_header_buffer_size": "limits.header_line",
    "large_client_header_buffers": "limits.header_line and limits.header_total",
    "keepalive_timeout": "timeouts.idle",
    "location": "not needed: an app gets every path of its domains",
    "log_format": "access_log.format",
    "error_log": "not needed: what goes wrong while running is written to standard error",
    "proxy_connect_timeout": "timeouts.connect",
    "proxy_pass": _INSTANCES,
    "proxy_read_timeout": "timeouts.response until the response begins, then timeouts.read",
    "proxy_send_timeout": "timeouts.read",
    "proxy_set_header": "not needed: X-Real-IP, X-Forwarded-For, X-Forwarded-Proto, Forwarded and Host are always sent",
    "real_ip_header": _TRUSTED,
    "send_timeout": "timeouts.read",
    "server": "apps, one for each app",
    "server_name": _DOMAINS,
    "server_names": _DOMAINS,
    "set_real_ip_from": _TRUSTED,
    "ssl_certificate": _CERTIFICATES,
    "ssl_certificate_key": _CERTIFICATES,
    "upstream": _INSTANCES,
    "upstreams": _INSTANCES,
    "worker_connections": "limits.connections",
    "worker_processes": "workers",
    "gzip": "compression",
    "gzip_min_length": "compression.min_size",
    "gzip_types": "compression.types",
    # HAProxy
    "backend": _INSTANCES,
    "backends": _INSTANCES,
    "bind": "listen.http and listen.https",
    "frontend": "listen, and apps.<name>.domains",
    "maxconn": "limits.connections",
    "nbthread": "workers",
    "timeout_client": "timeouts.read",
    "timeout_connect": "timeouts.connect",
    "timeout_http_request": "timeouts.head",
    "timeout_server": "timeouts.response",
    # Caddy, Traefik and others
    "access_logs": "access_log",
    "encode": "compression",
    "entrypoints": "listen",
    "forwarded_headers": _TRUSTED,
    "host": _DOMAINS,
    "hosts": _DOMAINS,
    "lb_policy": "apps.<name>.production.balance",
    "max_body": "limits.body",
    "port": "listen.http, such as :80",
    "ports": "listen.http and listen.https",
    "redirect": "force_https: true on a domain",
    "reverse_proxy": _INSTANCES,
    "routers": "apps",
    "servers": _INSTANCES,
    "services": "apps",
    "targets": _INSTANCES,
}
