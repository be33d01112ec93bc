"""Addresses as people write them → listeners, instances, and trusted networks.

This file knows text and numbers only: no socket is opened and no name resolved.
"""

from __future__ import annotations

import ipaddress
import os
import re
from typing import Any, NamedTuple

from lb.config.names import is_label
from lb.config.problems import quoted
from lb.config.units import BadValueError, describe

_HOST_AND_PORT = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*):(?P<port>[0-9]+)", re.ASCII)
_LONGEST_PORT = 65535
_LONGEST_PATH = 107  # bytes of sun_path on Linux, without the final NUL
_UNIX = "unix:"
_PORTS = f"ports go up to {_LONGEST_PORT}"
_PRIVATE = frozenset({"private", "private_ranges", "loopback", "localhost", "local", "lan", "internal"})
# A port as nginx, compose and Docker write it, with what surrounds it there.
_LISTEN_WORDS = re.compile(
    r"(?P<port>[0-9]+)(/tcp|:[0-9]+(/tcp)?|( (ssl|http2|quic|default_server|reuseport|backlog=[0-9]+))+);?"
)
_PORT_RANGE = re.compile(r"([^:\s]+):([0-9]+)-([0-9]+)")
_LISTEN_FORMS = 'write 127.0.0.1:8080, "[::1]:8080", or ":8080" for every address'
_INSTANCE_FORMS = 'write 127.0.0.1:3000, "[::1]:3000", a name and a port, or unix:/run/app.sock'
_NETWORK_FORMS = "write an address or a network: 203.0.113.7, 203.0.113.0/24, 2001:db8::/32"


class HostPort(NamedTuple):
    """A host ("" for all addresses; IPv6 without brackets) and a port."""

    host: str
    port: int


def parse_listen(value: object) -> HostPort:
    """Where to listen: an IP address or nothing, and a port (0: the system picks)."""
    text = _text(value, "an address to listen on", _LISTEN_FORMS)
    if text.isdecimal() and not _is_port(text):
        raise BadValueError(f"{quoted(text)} is not a valid port", _PORTS)
    if text.isdecimal():
        raise BadValueError(
            f"{quoted(text)} lacks an address", f'write ":{text}" for every address, or 127.0.0.1:{text}'
        )
    if text.startswith(_UNIX):
        raise BadValueError(f"{quoted(text)} is a Unix socket", f"lb listens on TCP ports only: {_LISTEN_FORMS}")
    if (found := _LISTEN_WORDS.fullmatch(text)) is not None and _is_port(found["port"]):
        raise BadValueError(
            f"{quoted(text)} is not an address to listen on", f'write ":{found["port"]}" for every address'
        )
    if "/" in text:
        host = text.partition("://")[2].strip("/")
        hint = f'write "{host}"' if _HOST_AND_PORT.fullmatch(host) else _LISTEN_FORMS
        raise BadValueError(f"{quoted(text)} is not an address to listen on", hint)
    host, port = _split(text, "an address to listen on", _LISTEN_FORMS)
    if not host:
        return HostPort("", port)
    address = _ip(host)
    if address is None:
        hint = f"write 127.0.0.1:{port}" if host == "localhost" else _LISTEN_FORMS.replace("8080", str(port))
        if host == "*":
            hint = f'write ":{port}" for every address'
        raise BadValueError(f"{quoted(text)} does not begin with an IP address", hint)
    return HostPort(address, port)


def parse_instance(value: object) -> tuple[str, int, str]:
    """Where an instance is: (host, port, ""), or ("", 0, path) for a Unix socket."""
    forms = "write it as one text: 127.0.0.1:3000" if isinstance(value, dict) else _INSTANCE_FORMS
    text = _text(value, "an instance's address", forms)
    _refuse_lookalikes(text)
    if text.startswith(_UNIX):
        return "", 0, _socket_path(text)
    if text.isdecimal():
        raise BadValueError(f"{quoted(text)} lacks an address", f"write 127.0.0.1:{text}")
    if text.startswith("-"):
        hint = f"if it is an item of a list, a space is missing: - {text[1:].strip()}"
        raise BadValueError(f"{quoted(text)} is not an instance's address", hint)
    if "://" in text:
        rest = re.split("[/?#]", text.partition("://")[2])[0]
        hint = f"write {rest}" if ":" in rest else f"write the name and the port: {rest or '127.0.0.1'}:80"
        if not text.startswith(("http://", "tcp://")):
            hint += "; lb speaks HTTP to instances, and HTTPS to those that are written with https://"
        raise BadValueError(f"{quoted(text)} is a URL, not an address", hint)
    if text.startswith(("/", "./")):
        raise BadValueError(f"{quoted(text)} is a path", f"write unix:{text} for a Unix socket")
    if "/" in text:
        raise BadValueError(
            f"{quoted(text)} has a path", "an instance gets requests with their path unchanged: write host:port"
        )
    host, port = _split(text, "an instance's address", _INSTANCE_FORMS)
    if not host:
        raise BadValueError(f"{quoted(text)} lacks an address", f"write 127.0.0.1:{port}")
    if not port:
        raise BadValueError(f"{quoted(text)} has port 0", "write the port that the instance listens on")
    return _host(host, text), port, ""


def parse_https_instance(text: str) -> tuple[str, int]:
    """Where an instance is that speaks HTTPS: `https://` in front of a host, with port 443 if it has none."""
    rest = text.partition("://")[2]
    place = re.split("[/?#]", rest)[0]
    if place != rest:
        hint = f"write https://{place}: an instance gets requests with their path unchanged"
        raise BadValueError(f"{quoted(text)} has a path", hint)
    if _ip(place) is not None and ":" in place:
        raise BadValueError(f"{quoted(text)} has no brackets around its IPv6 address", f"write https://[{place}]:443")
    if not re.search(r":[0-9]+$", place) or place.endswith("]"):
        place += ":443"
    host, port, _ = parse_instance(place)
    return host, port


def parse_network(value: object) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """A network (203.0.113.0/24, 2001:db8::/32) or one address."""
    text = _text(value, "a network", _NETWORK_FORMS)
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise BadValueError(f"{quoted(text)} is not a network", _about_network(text)) from None
    address = text.partition("/")[0]
    hint = f"write {meant} for the whole network, or {address} for the one address"
    raise BadValueError(f"{quoted(text)} is an address inside a network", hint)


def _refuse_lookalikes(text: str) -> None:
    """Rejects common mistakes in an instance's address, each with what to write instead."""
    words = re.split(r"[\s,;]+", text)
    if len(words) > 1 and all(map(_HOST_AND_PORT.fullmatch, words)):
        hint = f"write each as an item of its own: [{', '.join(words)}]"
        raise BadValueError(f"{quoted(text)} is more than one address", hint)
    if len(words) > 1 and _HOST_AND_PORT.fullmatch(words[0]):
        raise BadValueError(f"{quoted(text)} is more than an address", f"write {words[0]}: instances have no options")
    if (found := _PORT_RANGE.fullmatch(text)) is not None:
        hint = f"write each as an item of its own: [{found[1]}:{found[2]}, …, {found[1]}:{found[3]}]"
        raise BadValueError(f"{quoted(text)} has a range of ports", hint)
    if text.startswith("*:"):
        raise BadValueError(f"{quoted(text)} lacks an address", f"write 127.0.0.1{text[1:]}")
    if is_label(text.lower()) and not text.isdecimal():
        hint = f"append the port that the app listens on: {text.lower()}:8000"
        raise BadValueError(f"{quoted(text)} lacks a port", hint)


def _about_network(text: str) -> str:
    first, dash, last = text.partition("-")
    if dash:
        try:
            ends: Any = ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
            networks = list(ipaddress.summarize_address_range(*ends))
        except (ValueError, TypeError):
            return _NETWORK_FORMS
        shown = ", ".join(map(str, networks[:4]))
        return f"write {shown}" if len(networks) == 1 else f"write [{shown}{', …' if len(networks) > 4 else ''}]"
    if text.lower() in _PRIVATE:
        return "write [127.0.0.0/8, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16]"
    if text.isalpha():
        return "list its networks, such as 203.0.113.0/24"
    return _NETWORK_FORMS


def _is_port(text: str) -> bool:
    return len(text.lstrip("0")) <= len(str(_LONGEST_PORT)) and int(text) <= _LONGEST_PORT


def is_ip(host: str) -> bool:
    """Whether the host of an instance is an IP address, not a name: no name has a number as its last label."""
    return ":" in host or host.rpartition(".")[2].isdecimal()


def is_address(host: str) -> bool:
    """Whether it is an IP address in any form."""
    return _ip(host) is not None


def _text(value: object, noun: str, forms: str) -> str:
    if not isinstance(value, str):
        raise BadValueError(f"{describe(value)} is not {noun}", forms)
    return value.strip()


def _split(text: str, noun: str, forms: str) -> HostPort:
    found = _HOST_AND_PORT.fullmatch(text)
    if found is None:
        if _ip(text) is not None:
            bracketed = f'"[{text}]:80"' if ":" in text else f"{text}:80"
            raise BadValueError(f"{quoted(text)} lacks a port", f"write {bracketed}")
        raise BadValueError(f"{quoted(text)} is not {noun}", forms)
    host, port = found["host"], found["port"]
    if not _is_port(port):
        raise BadValueError(f"{quoted(text)} has an invalid port", _PORTS)
    if host.startswith("["):
        host = host[1:-1]
        if ":" not in host or _ip(host) is None:
            raise BadValueError(f"{quoted(text)} has no IPv6 address in its brackets", forms)
    return HostPort(host, int(port))


def _host(host: str, text: str) -> str:
    """An IP address in its shortest form, or a host name in lower case."""
    if (address := _ip(host)) is not None:
        return address
    name = host.lower().removesuffix(".")
    labels = name.split(".")
    if labels[-1].isdecimal():  # 127.0.1 and 300.1.1.1 are neither addresses nor names
        raise BadValueError(f"{quoted(text)} has an invalid IP address")
    if not all(map(is_label, labels)):
        raise BadValueError(f"{quoted(text)} is not an instance's address", _INSTANCE_FORMS)
    return name


def _ip(host: str) -> str | None:
    """The shortest form of an IP address; None for anything else."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def _socket_path(text: str) -> str:
    path = text[len(_UNIX) :]
    if not path or path.endswith("/"):
        raise BadValueError(f"{quoted(text)} names no socket", "write unix:/run/app.sock")
    if "\0" in path:
        raise BadValueError(f"{quoted(text)} has a NUL character in its path")
    if len(os.fsencode(path)) > _LONGEST_PATH:
        hint = f"the system allows {_LONGEST_PATH} bytes: use a shorter one"
        raise BadValueError(f"{quoted(text)} is too long for a Unix socket's path", hint)
    return "/" + path.lstrip("/") if path.startswith("/") else path
