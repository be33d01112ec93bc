"""The user and the password that a request brings: HTTP Basic (RFC 7617). This file knows neither users nor rules."""

from __future__ import annotations

import binascii
from base64 import b64decode

from lb.http.head import field_name

_AUTHORIZATION = b"authorization"


def basic_credentials(kept: bytes) -> tuple[bytes, bytes] | None:
    """The user and the password in a request's fields; None where there are none. Two Authorization fields are none:
    an app might believe the other one.
    """
    found = [line for line in kept.split(b"\r\n")[1:] if field_name(line) == _AUTHORIZATION]
    if len(found) != 1:
        return None
    scheme, _, text = found[0].partition(b":")[2].strip(b" \t").partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        user, colon, password = b64decode(text.strip(b" "), validate=True).partition(b":")
    except binascii.Error:
        return None
    return (user, password) if colon else None
