"""Debian's pebble as the certificate authority: a real RFC 8555 server that rejects nonces and loses its temper."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.e2e.harness.ports import accepts, held_ports, unused_udp_port, with_another_try
from tests.e2e.harness.waiting import wait_for

_QUESTION = b"lb\1\0\0\1\0\0\0\0\0\0\7example\0\0\1\0\1"  # the address of "example" (RFC 1035 section 4.1)
_PROGRAMS = ("pebble", "pebble-challtestsrv")


@dataclass(frozen=True, slots=True)
class Pebble:
    """`http` and `tls` are the ports at which it looks for proofs; `log` is what it has said."""

    directory: str
    ca_file: Path
    http: int
    tls: int
    management: str
    dns: str
    log: Path

    def trust(self) -> ssl.SSLContext:
        """A client's context that trusts the certificates that it gives."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        with urllib.request.urlopen(f"{self.management}/roots/0", context=context, timeout=10) as answer:
            root = answer.read().decode()
        found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        found.load_verify_locations(cadata=root)
        return found

    def said(self, text: str) -> int:
        """How often a line with this text is in its log."""
        return sum(text in line for line in self.log.read_text(errors="replace").splitlines())

    def orders(self) -> int:
        """How many orders were made."""
        return self.said("Added order")


def is_missing() -> list[str]:
    """The programs that are not installed; in CI that is a failure."""
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    assert not missing or not os.environ.get("CI"), f"not installed: {missing}"
    return missing


@contextmanager
def running_pebble(
    directory: Path, *, nonce_rejects: int = 20, binding: tuple[str, str] | None = None
) -> Iterator[Pebble]:
    """A pebble for which every name is this machine; `binding` is the one external account that it takes."""
    directory.mkdir(parents=True, exist_ok=True)
    ca_file = directory / "ca.pem"
    cert, key = directory / "pebble.pem", directory / "pebble.key"
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(ca_file)
    leaf.cert_chain_pems[0].write_to_path(cert)
    leaf.private_key_pem.write_to_path(key)
    with held_ports(4) as ports, with_another_try(lambda: _names(directory)) as (dns, dns_management):
        port, management, http, tls = ports
        config = directory / "pebble.json"
        settings = {
            "listenAddress": f"127.0.0.1:{port}",
            "managementListenAddress": f"127.0.0.1:{management}",
            "certificate": str(cert),
            "privateKey": str(key),
            "httpPort": http,
            "tlsPort": tls,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": binding is not None,
            "externalAccountMACKeys": dict([binding] if binding else ()),
        }
        config.write_text(json.dumps({"pebble": settings}))
        log = directory / "pebble.log"
        environ = os.environ | {
            "PEBBLE_VA_NOSLEEP": "1",
            "PEBBLE_WFE_NONCEREJECT": str(nonce_rejects),
            "PEBBLE_AUTHZREUSE": "0",
        }
        with server_process(
            ("pebble", "-config", str(config), "-dnsserver", f"127.0.0.1:{dns}", "-strict"), log, environ
        ):
            pebble = Pebble(
                f"https://127.0.0.1:{port}/dir",
                ca_file,
                http,
                tls,
                f"https://127.0.0.1:{management}",
                f"http://127.0.0.1:{dns_management}",
                log,
            )
            wait_for(lambda: accepts(port) and accepts(management), "pebble to listen")
            yield pebble


@contextmanager
def _names(directory: Path) -> Iterator[tuple[int, int]]:
    """A name server for which every name is this machine: its port and that of its management."""
    dns = unused_udp_port()
    with held_ports(1) as (management,):
        off = ("-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", "")
        at = ("-dns01", f"127.0.0.1:{dns}", "-management", f"127.0.0.1:{management}")
        with server_process(("pebble-challtestsrv", *off, *at), directory / "dns.log", os.environ):
            wait_for(lambda: accepts(management) and _knows_a_name(dns), "the name server to answer", 5)
            yield dns, management


def _knows_a_name(port: int) -> bool:
    with socket.socket(type=socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.5)
        asking.connect(("127.0.0.1", port))
        try:
            asking.send(_QUESTION)
            return asking.recv(512)[:2] == _QUESTION[:2]
        except OSError:
            return False


@contextmanager
def server_process(command: Sequence[str | Path], log: Path, environ: Mapping[str, str]) -> Iterator[None]:
    """A server that runs until the block ends; what it wrote to `log` is told with what goes wrong in the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environ)
        try:
            yield
        except BaseException as problem:
            problem.add_note(log.read_text(errors="replace")[-4000:])
            raise
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            process.wait()
