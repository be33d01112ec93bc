"""The settings for obtaining certificates: certificate authorities, the account, and the challenges to use.

This file knows the keys under `tls.acme` and `tls.on_demand` and the directories with a short name. It must not know
what an order is: that is lb/tls/acme.
"""

from __future__ import annotations

import base64
import binascii
import re
from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field

from lb.config.base import Section
from lb.config.fields import File, SecondsOrOff, Switch, Written, choice, count, one_or_more, or_none
from lb.config.migration_hints import FOREIGN_WORDS
from lb.config.problems import quoted
from lb.config.suggest import any_of, nearest, snake_case
from lb.config.units import BadValueError, describe

DIRECTORIES = {
    "letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
    "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
    "zerossl": "https://acme.zerossl.com/v2/DV90",
    "google": "https://dv.acme-v02.api.pki.goog/directory",
}
# These require an account at their website.
WITH_BINDING = frozenset({DIRECTORIES["zerossl"], DIRECTORIES["google"]})
_EMAIL = re.compile(r"[^@\s,?&;]+@[^@\s,?&;]+\.[^@\s,?&;]+", re.ASCII)

ChallengeType = Literal["http-01", "tls-alpn-01", "dns-01"]


def _directory(value: object) -> str:
    if not isinstance(value, str):
        raise BadValueError(f"{describe(value)} is not an ACME directory", _DIRECTORY_FORMS)
    if "://" not in value and (found := DIRECTORIES.get(value)) is not None:
        return found
    if "://" not in value:
        near = FOREIGN_WORDS.get(snake_case(value)) or nearest(value, DIRECTORIES)
        mend = f": did you mean {quoted(near)}?" if near else ""
        raise BadValueError(f"{quoted(value)} is not an ACME directory{mend}", _DIRECTORY_FORMS)
    return _url(value, "an ACME directory")


def _ask(value: object) -> str:
    if not isinstance(value, str):
        raise BadValueError(f"{describe(value)} is not a URL", "write http://127.0.0.1:5000/may-have-a-certificate")
    return _url(value, "a URL to ask", anywhere=True)  # usually a name in the operator's own network


def _url(text: str, noun: str, *, anywhere: bool = False) -> str:
    """An https URL; plain http only to this machine, which no one can intercept, unless `anywhere`."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise BadValueError(f"{quoted(text)} is not {noun}") from None
    if not host or parts.fragment or parts.username or not text.isascii() or not text.isprintable() or " " in text:
        raise BadValueError(f"{quoted(text)} is not {noun}")
    if parts.scheme not in {"http", "https"}:
        raise BadValueError(f"{quoted(text)} is not {noun}")
    if parts.scheme == "http" and not anywhere and not _is_here(host):
        raise BadValueError(f"{quoted(text)} must use https", f"write https://{text.partition('://')[2]}")
    return str(text)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _email(value: object) -> str:
    text = value.removeprefix("mailto:") if isinstance(value, str) else ""
    if not _EMAIL.fullmatch(text):
        raise BadValueError(f"{describe(value)} is not an e-mail address", "write one, such as ops@example.com")
    return text


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise BadValueError(f"{describe(value)} is not allowed here", "write the text that you got from the CA")
    return value.strip()


def _hmac_key(value: object) -> str:
    text = value.strip().rstrip("=") if isinstance(value, str) else ""
    text = text.replace("+", "-").replace("/", "_")
    try:
        key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        key = b""
    if not key:
        raise BadValueError("this is not a key in base64url", "copy the HMAC key that the CA shows")
    return text


_DIRECTORY_FORMS = f"write {any_of(DIRECTORIES)}, or the URL of a directory"
_Text = Annotated[str, BeforeValidator(_text, json_schema_input_type=Written)]


class ExternalAccount(Section):
    """An account at the CA's website, which the ACME account is bound to (RFC 8555 section 7.3.4)."""

    kid: _Text = Field(description="The key identifier that the CA gave.")
    hmac_key: Annotated[str, BeforeValidator(_hmac_key, json_schema_input_type=Written)] = Field(
        description="The HMAC key that the CA gave, in base64url."
    )


class AcmeServer(Section):
    """One certificate authority that speaks ACME."""

    directory: Annotated[str, BeforeValidator(_directory, json_schema_input_type=str)] = Field(
        default=DIRECTORIES["letsencrypt"],
        description="The CA: letsencrypt, letsencrypt-staging, zerossl, google, or the URL of its ACME directory.",
    )
    profile: Annotated[_Text | None, or_none] = Field(
        default=None, description="Which of the CA's certificate profiles to ask for, such as shortlived."
    )
    ca_file: Annotated[File | None, or_none] = Field(
        default=None, description="PEM file of authorities trusted for the CA's own HTTPS server, for private CAs."
    )
    eab: Annotated[ExternalAccount | None, or_none] = Field(
        default=None, description="External account binding, if the CA requires it."
    )


def _server(value: object) -> object:
    return {"directory": value} if isinstance(value, str) else value


_Server = Annotated[AcmeServer | None, BeforeValidator(_server, json_schema_input_type=str | AcmeServer), or_none]
_Challenge = Annotated[ChallengeType, choice("http-01", "tls-alpn-01", "dns-01")]


class Acme(AcmeServer):
    """Certificates that are obtained and renewed automatically for every bound domain (RFC 8555)."""

    email: Annotated[
        Annotated[str, BeforeValidator(_email, json_schema_input_type=str)] | None,
        or_none,
    ] = Field(default=None, description="E-mail address for the CA's messages about the account.")
    agree_to_terms: Switch = Field(
        default=False,
        description="true: you agree to the CA's terms of service. Required: only you can agree to them.",
    )
    fallback: _Server = Field(
        default=None, description="A second CA, used when the first one fails: a directory, or a mapping with its keys."
    )
    challenges: Annotated[tuple[_Challenge, ...], one_or_more(_Challenge, empty=False)] | None = Field(
        default=None,
        description="Challenges to use, in order of preference; without it, all that can work.",
    )
    dns_hook: Annotated[tuple[_Text, ...], one_or_more(_Text, empty=False)] | None = Field(
        default=None,
        description="Command for DNS-01, which wildcards need; arguments: present or cleanup, record name, text.",
    )
    certificate_per: Annotated[Literal["name", "app"], choice("name", "app")] = Field(
        default="name", description="name: a certificate for each domain; app: one for all domains of an app."
    )
    key_type: Annotated[Literal["ecdsa", "rsa"], choice("ecdsa", "rsa")] = Field(
        default="ecdsa", description="Kind of the certificates' keys: ecdsa (P-256) or rsa (2,048 bits)."
    )

    @property
    def servers(self) -> tuple[AcmeServer, ...]:
        """The CAs in the order in which they are used."""
        return (self,) if self.fallback is None else (self, self.fallback)


class OnDemand(Section):
    """Certificates obtained on the first request for a name, under bound wildcards."""

    ask: Annotated[str, BeforeValidator(_ask, json_schema_input_type=str)] = Field(
        description="URL that decides, requested with ?domain=NAME: 200 means that the name may have a certificate."
    )
    wait: SecondsOrOff = Field(
        default=30.0,
        description="How long a name's first TLS handshakes wait for its certificate; off: they are refused at once.",
    )
    waiting: Annotated[int, count(1_000_000)] = Field(
        default=1000,
        description="Handshakes that may wait at once; a worker has its share of them, and one client an eighth of "
        "that; more are refused at once.",
    )
