"""Directives of nginx that no reader looks at: those that lb needs no counterpart for, and those that have none.

A table of names. A name that is not in it is reported as such, so nothing is dropped without a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lb.importing.nginx.syntax import Directive
from lb.importing.omissions import Omissions, Weight
from lb.importing.values import words

# Read by others, or done by lb without being told.
_KNOWN = words(
    """
    http events server location upstream if return rewrite set root alias index try_files internal listen
    server_name include error_page proxy_pass grpc_pass fastcgi_pass uwsgi_pass scgi_pass memcached_pass map types
    zone keepalive keepalive_requests keepalive_time keepalive_timeout least_conn least_time ip_hash hash random
    sticky resolver resolver_timeout add_header more_set_headers more_clear_headers expires proxy_hide_header
    proxy_set_header proxy_pass_header proxy_pass_request_headers proxy_pass_request_body proxy_http_version
    proxy_buffering proxy_buffers proxy_buffer_size proxy_busy_buffers_size proxy_max_temp_file_size proxy_temp_path
    proxy_temp_file_write_size proxy_headers_hash_max_size proxy_headers_hash_bucket_size proxy_request_buffering
    proxy_connect_timeout proxy_read_timeout proxy_send_timeout proxy_intercept_errors proxy_socket_keepalive
    proxy_ignore_client_abort proxy_force_ranges proxy_ssl_server_name proxy_ssl_verify proxy_ssl_name
    proxy_ssl_verify_depth proxy_ssl_trusted_certificate proxy_ssl_certificate proxy_ssl_certificate_key
    proxy_ssl_session_reuse proxy_ssl_protocols proxy_ssl_ciphers client_max_body_size client_body_timeout
    client_header_timeout client_body_buffer_size client_header_buffer_size client_body_temp_path
    client_body_in_file_only large_client_header_buffers send_timeout limit_req limit_req_zone limit_req_status
    limit_req_log_level limit_conn limit_conn_zone limit_conn_status limit_conn_log_level allow deny satisfy
    auth_basic auth_basic_user_file auth_request auth_request_set set_real_ip_from real_ip_header real_ip_recursive
    autoindex ssl ssl_certificate ssl_certificate_key ssl_protocols ssl_ciphers ssl_conf_command
    ssl_prefer_server_ciphers ssl_session_cache ssl_session_timeout ssl_session_tickets ssl_session_ticket_key
    ssl_dhparam ssl_ecdh_curve ssl_buffer_size ssl_early_data ssl_client_certificate ssl_verify_client
    ssl_verify_depth ssl_stapling ssl_stapling_verify ssl_trusted_certificate ssl_password_file ssl_reject_handshake
    http2 http3 http2_push_preload http2_max_concurrent_streams quic_retry quic_gso gzip gzip_vary gzip_proxied
    gzip_comp_level gzip_buffers gzip_http_version gzip_types gzip_min_length gzip_disable gzip_static brotli
    brotli_types brotli_comp_level brotli_static zstd zstd_types zstd_static sendfile sendfile_max_chunk tcp_nopush
    tcp_nodelay server_tokens aio directio output_buffers open_file_cache open_file_cache_valid
    open_file_cache_min_uses open_file_cache_errors types_hash_max_size types_hash_bucket_size
    server_names_hash_bucket_size server_names_hash_max_size variables_hash_max_size variables_hash_bucket_size
    map_hash_max_size map_hash_bucket_size reset_timedout_connection lingering_close lingering_time
    lingering_timeout merge_slashes underscores_in_headers ignore_invalid_headers log_not_found log_subrequest
    log_format access_log error_log open_log_file_cache rewrite_log user pid daemon master_process worker_processes
    worker_connections worker_rlimit_nofile worker_priority worker_cpu_affinity worker_shutdown_timeout
    worker_aio_requests multi_accept accept_mutex use debug_connection pcre_jit load_module thread_pool
    timer_resolution lock_file env default_type charset override_charset stub_status port_in_redirect
    absolute_redirect server_name_in_redirect recursive_error_pages chunked_transfer_encoding etag if_modified_since
    max_ranges disable_symlinks proxy_redirect proxy_next_upstream proxy_next_upstream_tries
    proxy_next_upstream_timeout proxy_bind proxy_cache_path proxy_cache_key proxy_cache_valid proxy_cache_use_stale
    proxy_cache_lock proxy_cache_lock_age proxy_cache_lock_timeout proxy_cache_bypass proxy_cache_methods
    proxy_cache_min_uses proxy_cache_revalidate proxy_cache_background_update proxy_no_cache proxy_ignore_headers
    proxy_store proxy_cache_convert_head auth_jwt auth_digest auth_pam auth_ldap access_by_lua_block
    access_by_lua_file break empty_gif
    """
)
_OF_PASSES = ("fastcgi_", "uwsgi_", "scgi_", "grpc_", "memcached_")
_CACHE = "lb does not cache: let a CDN or the app do it"
_ABSENT = {
    "proxy_cache": (Weight.BEHAVIOUR, _CACHE),
    "stream": (Weight.ROUTING, "lb speaks HTTP only: keep nginx for other protocols"),
    "mail": (Weight.ROUTING, "lb speaks HTTP only: keep nginx for other protocols"),
    "geo": (Weight.ROUTING, "write allow and deny in routes"),
    "split_clients": (Weight.ROUTING, "write a route with a header or query for each side"),
    "sub_filter": (Weight.BEHAVIOUR, "lb does not change bodies: let the app do it"),
    "mirror": (Weight.BEHAVIOUR, "lb sends a request to one instance"),
    "proxy_cookie_path": (Weight.BEHAVIOUR, "let the app set its cookies for the path that clients see"),
    "proxy_cookie_domain": (Weight.BEHAVIOUR, "let the app set its cookies for the name that clients see"),
    "proxy_cookie_flags": (Weight.BEHAVIOUR, "let the app set these flags"),
    "proxy_method": (Weight.BEHAVIOUR, "the method goes on as it came"),
    "proxy_set_body": (Weight.BEHAVIOUR, "the body goes on as it came"),
    "limit_rate": (Weight.TUNING, "lb limits requests, not bytes"),
    "limit_rate_after": (Weight.TUNING, "lb limits requests, not bytes"),
    "limit_except": (Weight.ACCESS, "write a route with method and deny: true"),
    "valid_referers": (Weight.ACCESS, "let the app look at Referer"),
    "secure_link": (Weight.ACCESS, "let the app check the links"),
    "ssl_crl": (Weight.ACCESS, "lb looks at no lists of revoked certificates"),
    "modsecurity": (Weight.ACCESS, "lb has no such filter: keep one in front of it, or let the app do it"),
    "image_filter": (Weight.BEHAVIOUR, "let the app make the images"),
    "ssi": (Weight.BEHAVIOUR, "let the app put the pages together"),
    "perl": (Weight.BEHAVIOUR, "let the app do it"),
}
_SCRIPTS = ("_by_lua_block", "_by_lua_file", "_by_lua", "js_", "perl_", "lua_")
_SCRIPT = "lb runs no scripts: let the app do it"


class _Found(NamedTuple):
    weight: Weight
    hint: str


def report_left_out(directives: tuple[Directive, ...], omissions: Omissions) -> None:
    """Reports what has no counterpart, in all blocks."""
    for one in _all(directives):
        found = _about(one)
        if found is not None:
            omissions.add(found.weight, one.at, f"{one.written()}: lb has no counterpart", found.hint)


def _about(one: Directive) -> _Found | None:
    if one.name in _KNOWN or one.name.startswith(_OF_PASSES):
        return _special(one)
    if one.name in _ABSENT:
        return None if one.first() == "off" else _Found(*_ABSENT[one.name])
    if one.name.endswith(_SCRIPTS[:3]) or one.name.startswith(_SCRIPTS[3:]):
        return _Found(Weight.ACCESS if one.name.startswith("access") else Weight.BEHAVIOUR, _SCRIPT)
    return _Found(Weight.BEHAVIOUR, "")


def _special(one: Directive) -> _Found | None:
    """Known directives with an argument that has no counterpart."""
    match one.name, one.arguments:
        case "proxy_redirect", (first, *_) if first not in ("off", "default"):
            return _Found(Weight.BEHAVIOUR, "the app's Location goes on as it is: let it use the public URL")
        case "proxy_store", (first, *_) if first != "off":
            return _Found(Weight.BEHAVIOUR, _CACHE)
        case "ssl_protocols", protocols if "TLSv1" in protocols or "TLSv1.1" in protocols or "SSLv3" in protocols:
            return _Found(Weight.TUNING, "lb accepts TLS 1.2 and 1.3")
        case "access_log", ("off",):
            return _Found(Weight.LOGGING, "every request has a line; write access_log: off for none at all")
        case "proxy_bind", _:
            return _Found(Weight.TUNING, "the system chooses the address")
    return None


def _all(directives: tuple[Directive, ...]) -> Iterator[Directive]:
    for one in directives:
        yield one
        if one.name in ("stream", "mail", "types", "map", "geo", "split_clients", "charset_map", "upstream", "match"):
            continue
        yield from _all(one.block or ())
