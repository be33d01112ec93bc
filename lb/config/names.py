"""Domain names as people write them → the form in which they are compared: an A-label in lower case.

This file knows the syntax of names and which environment the first label selects. It must not know
the rest of the configuration.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network

import idna

from lb.config.problems import quoted
from lb.config.units import BadValueError

CATCH_ALL = "*"  # every host: a domain of an app, `domains_default`, or `lb serve --to` without --domain
_STAGING = "stg-"
_LONGEST_NAME = 253  # RFC 1035 section 2.3.4, without the root's dot
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)  # underscores: container names are hosts too
_HAS_PORT = re.compile(r"[^:]+:[0-9]+")

# Names for which only a certificate authority of this machine can sign.
LOCAL_TOPS = ("localhost", "test")
LOCAL_NETWORKS = tuple(
    map(
        ip_network,
        (
            *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
            *("::1/128", "fc00::/7", "fe80::/10"),
        ),
    )
)


def is_local(name: str) -> bool:
    """Whether a bound name is local: localhost, under it or under .test (wildcards, too), or a private address."""
    if ":" not in name and not name[-1:].isdigit():  # not an address; an exception that says so takes 5 µs
        return name.rpartition(".")[2] in LOCAL_TOPS
    try:
        address = ip_address(name)
    except ValueError:
        return name.rpartition(".")[2] in LOCAL_TOPS
    return any(address in network for network in LOCAL_NETWORKS)


def is_staging(name: str) -> bool:
    """Whether a bound name selects the staging environment: its first label begins with "stg-"."""
    return name.startswith(_STAGING)


def shared_names(app: str, shared_domain: str) -> tuple[str, str]:
    """The production and the staging name of an app under `shared_domain`."""
    name = f"{app.lower()}.{shared_domain}"
    return name, _STAGING + name


def wildcard_of(host: str) -> str:
    """The wildcard that would cover `host`: its first label replaced by a star."""
    return "*." + host.partition(".")[2]


def is_label(text: str) -> bool:
    """Whether `text` can be one label of a domain name."""
    return _LABEL.fullmatch(text) is not None


def is_possible(name: str) -> bool:
    """Whether a name of valid labels is short enough for the DNS."""
    return len(name) <= _LONGEST_NAME


def parse_domain(value: object) -> str:
    """The A-label of an exact name or of a one-label wildcard ("*.example.com"): lower case, no trailing dot."""
    if not isinstance(value, str):
        raise BadValueError("a domain must be text, such as shop.example.com")
    written = value.strip()
    prefix, rest = ("*.", written[2:]) if written.startswith("*.") else ("", written)
    name, why_not = _to_ascii(rest)
    wrong = next((label for label in name.split(".") if not is_label(label)), None)
    if wrong is not None:
        why_not = why_not or _about_label(wrong)
    elif not is_possible(prefix + name):
        why_not = f"it is longer than {_LONGEST_NAME} characters"
    if why_not or written == "_":
        _refuse_lookalikes(written)
        raise BadValueError(f"{quoted(written)} is not a domain name", why_not)
    return prefix + name


def _to_ascii(text: str) -> tuple[str, str]:
    """Lower-case ASCII without the trailing dot, or why not; Unicode is mapped by UTS 46, as in browsers."""
    if not text.isascii() and len(text) <= _LONGEST_NAME:
        try:
            text = idna.encode(text, uts46=True, std3_rules=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return "", "it has a character that international domain names cannot have (RFC 5892)"
    return text.lower().removesuffix("."), ""


def _refuse_lookalikes(text: str) -> None:
    """Rejects common mistakes in a domain, each with what to write instead."""
    shown = quoted(text)
    hints = (
        (not text, "the domain is empty", "write a name such as shop.example.com"),
        (text == CATCH_ALL, '"*" is not a domain name', "name a domain, such as shop.example.com"),
        (
            text == "_",
            '"_" is not a domain',
            "for every name that nobody bound write domains_default: shop at the top of the file",
        ),
        (
            text.startswith("~"),
            f"{shown} is a pattern",
            'only names and one-label wildcards ("*.example.com") can be bound',
        ),
        ("://" in text, f"{shown} is a URL", f"write only the name: {_host_of_url(text)}"),
        ("/" in text, f"{shown} has a path", "a domain is bound with all its paths: write only the name"),
        (
            text.startswith("."),
            f"{shown} begins with a dot",
            f'write "{text[1:]}" and "*{text}", each as a domain of its own',
        ),
        (
            text.startswith("-"),
            f"{shown} begins with a hyphen",
            f"a name cannot; if it is an item of a list, a space is missing: - {text[1:].strip()}",
        ),
        (text.startswith("["), f"{shown} is an IPv6 address", "bind a name"),
        (
            _HAS_PORT.fullmatch(text) is not None,
            f"{shown} has a port",
            f'write "{text.partition(":")[0]}": a domain is served on all ports of listen',
        ),
        (len(re.split(r"[\s,;]+", text)) > 1, f"{shown} is more than one name", "write each as an item of its own"),
        (
            "*" in text.removeprefix("*."),
            f"{shown} is not a wildcard that can be bound",
            'a wildcard is "*." and a name, and stands for one label: "*.example.com"',
        ),
    )
    for applies, message, hint in hints:
        if applies:
            raise BadValueError(message, hint)


def _host_of_url(text: str) -> str:
    return re.split(r"[/:?#]", text.partition("://")[2])[0]


def _about_label(label: str) -> str:
    if not label:
        return "a label between two dots is empty"
    if len(label) > 63:
        return "a label is longer than 63 characters"
    if label[0] == "-" or label[-1] == "-":
        return f"the label {quoted(label)} begins or ends with a hyphen"
    return f"the label {quoted(label)} has a character that names cannot have"
