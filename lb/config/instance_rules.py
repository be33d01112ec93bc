"""Rules about connections to instances: HTTPS and its files, PROXY headers.

They have the same form as those in rules.py, which runs them. Files are read here, so that what a connection needs is
known to be usable before anything runs.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

from lb.config.instance_tls import InstanceTlsSettings
from lb.config.problems import KeyPath, Problem
from lb.config.rule_context import RuleContext


def _tls_settings_are_used(scene: RuleContext) -> Iterator[Problem]:
    for path, environment in scene.environments():
        settings = environment.instance_tls
        here = (*path, "instance_tls")
        known = "instances" not in scene.refused.get(path, ())
        if settings.model_fields_set and known and not any(one.tls for one in environment.instances):
            message = "instance_tls is not used: no instance is written as https://…"
            yield scene.origin.key_problem(
                here, message, "write https:// before the instances that speak HTTPS", "warning"
            )
        elif not settings.verify and settings.ca is not None:
            message = "ca is not used: verify is false"
            yield scene.origin.key_problem((*here, "ca"), message, "remove verify: false, or ca")
        elif not settings.verify:
            message = "certificates of instances are not verified: whoever is in between can read and change requests"
            hint = "write ca: internal.pem with the authority that signed them, and remove verify: false"
            yield scene.origin.problem((*here, "verify"), message, hint, "warning")
        if settings.key is not None and settings.cert is None and scene.is_certain(*map(str, here), "cert"):
            message = "key is not used: there is no cert beside it"
            yield scene.origin.key_problem((*here, "key"), message, "add cert: client.pem, or remove key")


def _tls_files_can_be_used(scene: RuleContext) -> Iterator[Problem]:
    checked: dict[tuple[Path | None, ...], list[tuple[str, str, str]]] = {}
    for path, environment in scene.environments():
        settings = environment.instance_tls
        files = (settings.ca, settings.cert, settings.key)
        if files == (None, None, None):
            continue
        if files not in checked:
            checked[files] = list(_about_files(settings))
        for key, message, hint in checked[files]:
            where: KeyPath = (*path, "instance_tls", key)
            yield scene.origin.problem(where, message, hint)


def _about_files(settings: InstanceTlsSettings) -> Iterator[tuple[str, str, str]]:
    """The key, the message and the hint for each file that cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unreadable = False
    for key, file in (("ca", settings.ca), ("cert", settings.cert), ("key", settings.key)):
        if file is None:
            continue
        try:
            file.open("rb").close()
        except OSError as error:
            unreadable = True
            yield key, f"this file cannot be read: {error.strerror}", "write the path of a PEM file"
    if unreadable:
        return
    if settings.ca is not None:
        try:
            context.load_verify_locations(settings.ca)
        except ssl.SSLError:
            yield "ca", "this file has no certificate in PEM form", "write the path of a PEM file of authorities"
    if settings.cert is not None:
        try:
            context.load_cert_chain(settings.cert, settings.key, lambda: "")
        except (ssl.SSLError, ValueError):
            message = "this certificate and its key cannot be used together"
            hint = "write a certificate in PEM form and the key that belongs to it, without a passphrase"
            yield "cert", message, hint


def _headers_need_connections_of_their_own(scene: RuleContext) -> Iterator[Problem]:
    for path, environment in scene.environments():
        if environment.send_proxy is None:
            continue
        if environment.keep_alive and "keep_alive" in environment.model_fields_set:
            message = "keep_alive has no effect with send_proxy: a PROXY header names one client for a whole connection"
            yield scene.origin.problem((*path, "keep_alive"), message, "remove keep_alive", "warning")
        if environment.deploy:
            message = "send_proxy is not possible with deploy: the servers of deployed apps expect HTTP"
            yield scene.origin.problem((*path, "send_proxy"), message, "remove send_proxy")


INSTANCE_RULES = (
    _tls_settings_are_used,
    _tls_files_can_be_used,
    _headers_need_connections_of_their_own,
)
