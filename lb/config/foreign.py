"""What people who know other proxies write → what it is here: keys, and ways of balancing. Words, nothing else."""

from __future__ import annotations

_INSTANCES = "apps.<name>.production.instances"
_HEALTH = "apps.<name>.production.health_uri, health_interval and so on"
_DOMAINS = "apps.<name>.domains"
_CERTIFICATES = "tls.certificates, a list of {cert: …, key: …}"
_TRUSTED = "trusted_proxies, with cdn: true on the domain"
_BALANCE = "balance: round_robin, least_connections, power_of_two, consistent_hash or sticky"
_BY_ADDRESS = "consistent_hash, with hash_on: client_address"
_BY_URI = "consistent_hash, with hash_on: uri"
_BY_HEADER = "consistent_hash, with hash_on: header:NAME"
_RANDOM = "power_of_two: of two instances picked at random, the one with fewer requests"
_IN_TURN = "round_robin"
_USER = "not needed: lb serves as the user that starts it, such as User= of its systemd unit"
_PID = "not needed: lb reload, lb status and lb upgrade find the service by its file"
_DAEMON = "not needed: lb stays in the foreground, where systemd or a container looks after it"
_NO_STANDBY = "not to be had: every instance gets requests, and one that fails is passed over"

FOREIGN_BALANCES = {
    # nginx
    "ip_hash": _BY_ADDRESS,
    "least_conn": "least_connections",
    "least_time": "least_connections",
    "hash": "consistent_hash, with hash_on: client_address, uri, header:NAME or cookie:NAME",
    "random": _RANDOM,
    "backup": _NO_STANDBY,
    # HAProxy
    "source": _BY_ADDRESS,
    "leastconn": "least_connections",
    "roundrobin": _IN_TURN,
    "static_rr": _IN_TURN,
    "first": _NO_STANDBY,
    "uri": _BY_URI,
    "url_param": _BY_URI,
    "hdr": _BY_HEADER,
    # Caddy, Traefik, Envoy and others
    "client_ip_hash": _BY_ADDRESS,
    "ip": _BY_ADDRESS,
    "uri_hash": _BY_URI,
    "query": _BY_URI,
    "header": _BY_HEADER,
    "cookie": "sticky",
    "random_choose": _RANDOM,
    "p2c": _RANDOM,
    "rr": _IN_TURN,
    "wrr": _IN_TURN,
    "weighted_round_robin": _IN_TURN,
    "least_request": "least_connections",
    "ring_hash": "consistent_hash",
    "maglev": "consistent_hash",
}

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
    "user": _USER,
    "group": _USER,
    "pid": _PID,
    "daemon": _DAEMON,
    "upstream": _INSTANCES,
    "upstreams": _INSTANCES,
    "worker_connections": "limits.connections",
    "worker_processes": "workers",
    "gzip": "compression",
    "gzip_min_length": "compression.min_size",
    "gzip_types": "compression.types",
    "ip_hash": f"balance: {_BY_ADDRESS}",
    "least_conn": "balance: least_connections",
    "keepalive": "not needed: connections to instances are kept as long as they last",
    "proxy_next_upstream": "not needed: what no instance accepted is tried on another one; see retry_budget",
    "weight": "not needed: balance: least_connections gives a faster instance more",
    "resolver": "not needed: the system's resolver is asked, every dns_interval",
    # HAProxy
    "backend": _INSTANCES,
    "backends": _INSTANCES,
    "bind": "listen.http and listen.https",
    "frontend": "listen, and apps.<name>.domains",
    "maxconn": "limits.connections",
    "nbthread": "workers",
    "cookie": "balance: sticky, and sticky_cookie for the cookie's name",
    "stick_table": "balance: sticky",
    "option": _HEALTH,
    "uid": _USER,
    "gid": _USER,
    "pidfile": _PID,
    "timeout_client": "timeouts.read",
    "timeout_connect": "timeouts.connect",
    "timeout_http_request": "timeouts.head",
    "timeout_server": "timeouts.response",
    # Caddy, Traefik and others
    "acme_ca": "tls.acme.directory",
    "acme_dns": "tls.acme.dns_hook, a command",
    "acme_eab": "tls.acme.eab",
    "auto_https": "tls.acme, and force_https: true on a domain",
    "ca": "tls.acme.directory",
    "certificatesresolvers": "tls.acme",
    "issuer": "tls.acme",
    "access_logs": "access_log",
    "encode": "compression",
    "entrypoints": "listen",
    "forwarded_headers": _TRUSTED,
    "health_check": _HEALTH,
    "healthcheck": _HEALTH,
    "host": _DOMAINS,
    "hosts": _DOMAINS,
    "lb_policy": _BALANCE,
    "policy": _BALANCE,
    "algorithm": _BALANCE,
    "strategy": _BALANCE,
    "sticky": "balance: sticky",
    "sticky_session": "balance: sticky",
    "sticky_sessions": "balance: sticky",
    "session_affinity": "balance: sticky",
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
