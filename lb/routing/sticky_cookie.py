"""The cookie that ties a client to an instance: its tokens, and the fields that set it.

A token is a keyed hash of the instance's name, so that it reveals no address, not even by guessing one and comparing.
It is the same in every worker and after every reload, and, if the secret is, on every machine.
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from lb.http.cookies import without_cookie, without_set_cookie
from lb.routing.instance import Instance

_TOKEN = 32  # hex digits


@dataclass(frozen=True, slots=True)
class StickyCookie:
    """A cookie of this name, for the instances of one environment; `scope` names that (app and kind)."""

    name: bytes
    secret: bytes
    scope: bytes

    def token(self, instance: str) -> bytes:
        """The token of the instance with this key."""
        message = self.scope + b"\0" + instance.encode()
        return hmac.digest(self.secret, message, "sha256").hex()[:_TOKEN].encode()

    def taken_from(self, kept: bytes) -> bytes:
        """The request's fields without it: an app could only log it, vary on it or send it back (HAProxy's `insert
        indirect` does the same).
        """
        return without_cookie(kept, self.name) if self.name in kept else kept

    def put(self, kept: bytes, instance: Instance, held: bytes | None, secure: bool) -> bytes:
        """The response's fields with the cookie for `instance`; `held` is the token that the client sent.

        A correct one is not set again, and what the app sets under this name is dropped. A response that sets the
        cookie is for this client alone: a cache that gave it to others would send them all to one instance.
        """
        if self.name in kept:
            kept = without_set_cookie(kept, self.name)
        if held == instance.token:
            return kept
        end = b"; Path=/; HttpOnly; SameSite=Lax" + (b"; Secure" if secure else b"")
        return kept + b"Set-Cookie: %b=%b%b\r\nCache-Control: private\r\n" % (self.name, instance.token, end)


def sticky_secret(configured: str | None) -> bytes:
    """The key of the hash: from the configuration, or one of this machine, so that clients keep their instances over a
    restart.
    """
    return sha256(b"lb sticky\0" + (_MACHINE if configured is None else configured.encode())).digest()


def _machine() -> bytes:
    """The machine's identifier, which is secret and for use in hashes only (machine-id(5)); random if there is none."""
    try:
        return Path("/etc/machine-id").read_bytes().strip() or os.urandom(32)
    except OSError:
        return os.urandom(32)


_MACHINE = _machine()  # once, before any worker is forked
