"""Keys of other programs' files that lb does not have → what to do instead. Text only.

Keys with another name in lb are in migration_hints.py.
"""

from __future__ import annotations

_FILES = "write a route of the app: routes: [{path: /static/, files: staticfiles/}]"
_GATEWAYS = "lb speaks HTTP to apps: start a server for yours, such as gunicorn, and name its address in instances"
_PATHS = "write a route of the app: routes: [{path: /api/, app: api}]"
_REWRITES = "write a route of the app: routes: [{path: /api/, app: api, strip: /api}]; or prefix, or rewrite"
_REQUEST_FIELDS = (
    "remove it: X-Real-IP, X-Forwarded-For, X-Forwarded-Proto, Forwarded and Host are always sent; other fields are "
    "set by headers: {request: {set: {NAME: value}}} in the app"
)
_FIELDS = "write headers: {response: {set: {NAME: value}}} in the app; for cross-origin requests write cors"
_PASSWORDS = (
    "write a route of the app: routes: [{path: /admin/, basic_auth: htpasswd}]; forward_auth: URL asks an "
    "authentication service"
)
_FIREWALL = (
    "write a route of the app: routes: [{path: /admin/, allow: [192.0.2.0/24]}]; limits.client_rate limits the "
    "requests of one client"
)
_CACHE = "lb does not cache: let a CDN or the app do it"
_PROCESSES = "lb starts only deployed apps: write deploy: true instead of instances, then deploy one with lb deploy"
_REDIRECTS = (
    "write the domain as {name: www.shop.example.com, redirect: shop.example.com}, a route as "
    "{path: /old, redirect: /new}, and force_https: true on a domain to redirect HTTP to HTTPS"
)
_PAGES = "write errors: {404: missing.html, 5xx: sorry.html} in the app: HTML files"
_PROTOCOL = "remove it: clients get HTTP/2 or HTTP/1.1 (listen.protocols), instances HTTP/1.1"
_HTTP = "lb speaks HTTP only: use HAProxy or nginx's stream for other protocols"
_TLS = "remove it: lb accepts TLS 1.2 and 1.3 with modern ciphers"
_SPLIT = "one file is one configuration: write everything into it"
_HEADINGS = "remove it: in lb its keys are at the top of the file"
_KERNEL = "remove it: lb does this by itself"
_LOGS = "remove it: lb logs to standard error"
_SECRETS = "remove it: lb sends no telemetry"
_USER = "remove it: lb runs as the user that starts it (User= in its systemd unit)"
_PID = "remove it: lb reload, lb status and lb upgrade find the service by its file"
_SOURCES = "lb is configured by its file only: change it, and run lb reload"

_GROUPS = {
    _FILES: (
        "static statics staticfiles static_files static_dir static_url public public_dir root webroot "
        "document_root documentroot autoindex alias try_files file_server browse media assets"
    ),
    _GATEWAYS: "templates php_fastcgi fastcgi_pass uwsgi_pass",
    _PATHS: (
        "location locations route path paths path_prefix path_rules pathprefix handle handle_path rule "
        "rules matcher matchers url_map use_backend acl base_path context_path"
    ),
    _REWRITES: ("rewrites uri strip_prefix strip_path stripprefix replace_path add_prefix http_request"),
    _REQUEST_FIELDS: (
        "proxy_set_header proxy_pass_request_headers header_up request_headers forwarded preserve_host "
        "pass_host_header x_forwarded_for forwardfor"
    ),
    _FIELDS: (
        "add_header header_down response_headers custom_headers more_set_headers "
        "access_control security_headers expires charset http_response csp"
    ),
    _PASSWORDS: (
        "auth auth_basic auth_basic_user_file auth_request basicauth forwardauth htpasswd users "
        "user_list userlist oauth oidc password passwords jwt"
    ),
    _FIREWALL: (
        "whitelist blacklist allowlist denylist ip_allow_list ip_white_list ipallowlist "
        "ipwhitelist remote_ip block waf geoip fail2ban"
    ),
    _CACHE: "cache caching proxy_cache proxy_cache_path proxy_cache_valid proxy_cache_key",
    _PROCESSES: (
        "command cmd run exec entrypoint image dockerfile env environment env_file env_vars "
        "environment_vars volumes depends_on restart replicas scale dynos dyno workers_per_app processes "
        "procfile formation buildpack buildpacks addons config_vars stack release python wsgi asgi wsgi_file "
        "module working_dir workdir virtualenv venv container docker autoscale cpu"
    ),
    _REDIRECTS: "return redir redirects redirect_to www www_redirect redirect_www redirect_regex",
    _PAGES: ("error_page error_pages errorfile errorfiles custom_errors handle_errors maintenance respond"),
    _PROTOCOL: (
        "http2 http_2 h2 http3 h3 quic proxy_http_version http_version protocol alpn grpc grpc_pass "
        "websocket websockets ws"
    ),
    _HTTP: "stream tcp udp mode tcp_services mail",
    _TLS: (
        "ssl_protocols ssl_ciphers ssl_prefer_server_ciphers ssl_session_cache ssl_session_timeout "
        "ssl_session_tickets ssl_dhparam ssl_stapling ssl_stapling_verify min_version max_version tls_version "
        "ciphers cipher_suites ssl_default_bind_ciphers ssl_default_bind_options curves"
    ),
    _SPLIT: "include includes import imports conf_dir extends",
    _HEADINGS: ("events global defaults general settings config configuration lb loadbalancer_config server_block"),
    _KERNEL: (
        "sendfile tcp_nopush tcp_nodelay multi_accept use accept_mutex worker_rlimit_nofile server_tokens "
        "keepalive proxy_buffering proxy_buffers proxy_buffer_size types_hash_max_size "
        "server_names_hash_bucket_size underscores_in_headers reset_timedout_connection tune ulimit backlog "
        "reuseport"
    ),
    _LOGS: "error_log log_level loglevel debug verbose logging",
    _SECRETS: "telemetry anonymous_usage check_new_version sentry_dsn",
    _USER: "user group uid gid chroot",
    _PID: "pid pidfile pid_file",
    "remove it: lb stays in the foreground, supervised by systemd or a container runtime": (
        "daemon daemonize background"
    ),
    _SOURCES: "providers provider docker_socket consul etcd kubernetes watch",
    "remove it: the file has no version": "version api_version apiversion kind metadata",
    "remove it: every instance gets requests, and one that fails is passed over": ("backup standby fallback_instances"),
    "remove it: a request that an instance did not accept is tried on another; retry_budget limits how often": (
        "retries retry proxy_next_upstream max_retries lb_try_duration lb_try_interval option_redispatch retry_on"
    ),
    "remove it: balance: least_connections gives a faster instance more": "weight weights weighted",
    "remove it: lb uses the system's resolver, every dns_interval": ("resolver resolvers dns nameserver nameservers"),
    "write domains_default: shop at the top of the file: the app of names that are not bound": (
        "default_server default_backend catch_all default_app server_aliases"
    ),
}

ABSENT_KEYS = {word: hint for hint, words in _GROUPS.items() for word in words.split()}
"""A key of another program → its hint, a whole sentence."""
