"""One front door with TLS for the tests of HTTPS, redirects and challenges: two workers, two certificates."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST, Client
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import echo

TOKEN = "fGx3-known_TOKEN"
AUTHORIZATION = f"{TOKEN}.thumbprint"


@dataclass(frozen=True, slots=True)
class Secure:
    door: FrontDoor
    instance: Instance
    authority: Authority

    def connect(
        self,
        name: str | None = HOST,
        *,
        version: ssl.TLSVersion | None = None,
        alpn: tuple[str, ...] = ("http/1.1",),
    ) -> Client:
        """A TLS connection that names `name` as its server, or none."""
        context = self.authority.context(check_name=name is not None, version=version, alpn=alpn)
        return self.door.connect_tls(context, name)


@contextmanager
def open_secure(directory: Path, authority: Authority) -> Iterator[Secure]:
    domains = (
        HOST,
        "blog.example.org",
        "a.wild.example",
        {"name": "forced.example.com", "force_https": True},
        {"name": "cdn.example.com", "force_https": True, "cdn": True},
        "uncovered.example.net",
    )
    with ExitStack() as stack:
        instance = stack.enter_context(Instance(echo()))
        config = configure(
            instance.address,
            domains=domains,
            listen={"http": "127.0.0.1:0", "https": "127.0.0.1:0"},
            workers=2,
            trusted_proxies=["127.0.0.0/8"],
            tls=tls_config(
                authority.issue(HOST, "forced.example.com", "cdn.example.com"),
                authority.issue("blog.example.org", "*.wild.example"),
                challenges=str(_challenges(directory)),
            ),
        )
        yield Secure(stack.enter_context(FrontDoor(config, directory)), instance, authority)


def _challenges(directory: Path) -> Path:
    """A folder with one pending token, and a link that leads out of it."""
    challenges = directory / "challenges"
    challenges.mkdir()
    (challenges / TOKEN).write_text(AUTHORIZATION + "\n")
    (directory / "outside").write_text("never to be seen")
    (challenges / "link").symlink_to(directory / "outside")
    return challenges
