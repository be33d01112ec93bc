"""What open connections are asked, and told, together."""

from __future__ import annotations

from dataclasses import dataclass

from lb.process.remaining import CONNECTION, REQUEST, UPLOAD, Share
from lb.proxy.handler import Handler
from lb.proxy.open_clients import send_away, shares_of


class Several(Handler):
    """A connection with two requests."""

    told = 0

    def describe_all(self) -> list[tuple[str, bytes, bytes]]:
        return [(UPLOAD, b"shop", b"production")] * 2

    def go_away(self) -> None:
        self.told += 1


@dataclass
class Connected:
    handler: Handler | None


def test_each_request_counts() -> None:
    clients = [Connected(None), Connected(Several()), Connected(Handler())]
    assert set(shares_of(clients)) == {
        Share(UPLOAD, "shop", "production", 2),
        Share(CONNECTION, "", "", 1),
        Share(REQUEST, "", "", 1),
    }


def test_those_that_can_be_told_are_told_once() -> None:
    several = Several()
    send_away([Connected(None), Connected(several), Connected(Handler())])
    assert several.told == 1
