"""Every row of the attack table over real sockets: whole, byte by byte, and before an innocent request. Clause F5."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.e2e.attack_table import ACCEPTED, REFUSED, SMUGGLED, Accepted, Refused
from tests.e2e.harness.client import Client, get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import assert_error
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import Echo, echo
from tests.e2e.harness.waiting import wait_for

INNOCENT = get("/innocent")
WAYS = ("whole", "bytewise", "pipelined")


@dataclass(frozen=True, slots=True)
class Stand:
    door: FrontDoor
    instance: Instance
    streams: bool

    def completed(self, since: int) -> list[bytes]:
        """The targets of the requests that the instance received whole since then, when nothing is under way."""
        wait_for(lambda: self.instance.settled, "the instance to settle")
        return [request.target for request in self.instance.requests[since:]]


@pytest.fixture(scope="module", params=["auto", "off"])
def stand(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with ExitStack() as stack:
        instance = stack.enter_context(Instance(echo()))
        config = configure(instance.address)
        config["apps"]["shop"]["buffering"] = request.param
        door = stack.enter_context(FrontDoor(config, tmp_path_factory.mktemp("attacks")))
        yield Stand(door, instance, streams=request.param == "off")


def _send(client: Client, way: str, data: bytes) -> None:
    if way == "pipelined":
        client.send_quietly(data + INNOCENT)
    else:
        client.send_as(way, data)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("attack", REFUSED, ids=[attack.name for attack in REFUSED])
def test_it_is_refused_and_nothing_behind_it_is_run(stand: Stand, attack: Refused, way: str) -> None:
    # spec: F5, L1, D4; attacks 1 to 19 and 23 to 25
    since = len(stand.instance.requests)
    with stand.door.connect() as client:
        _send(client, way, attack.data)
        response = client.response()
        assert response.status in attack.statuses, (response.status, response.body)
        assert_error(response, response.status)
        assert client.rest() == b"", "the connection went on after an ambiguous request"
    assert stand.completed(since) == []
    stand.instance.check()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("attack", ACCEPTED, ids=[attack.name for attack in ACCEPTED])
def test_it_is_one_request_and_what_follows_is_the_next(stand: Stand, attack: Accepted, way: str) -> None:
    # spec: F5; attacks 3, 4, 7, 10, 14 and 25
    since = len(stand.instance.requests)
    targets = [attack.target.encode()]
    with stand.door.connect() as client:
        _send(client, way, attack.data)
        seen = Echo(client.response(attack.data.split(b" ")[0].decode()))
        assert (seen.target, seen.seen["length"]) == (attack.target, attack.length)
        assert seen.one("host") == "shop.example.com"
        if way == "pipelined":
            targets.append(b"/innocent")
            assert Echo(client.response()).target == "/innocent"
    assert stand.completed(since) == targets
    stand.instance.check()


@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n", b"Expect: nothing\r\n"])
@pytest.mark.parametrize("way", ["one packet", "body later", "body in two", "bytewise"])
@pytest.mark.parametrize(
    ("host", "target", "status"),
    [
        (b"nobody.example", b"/early", 404),
        (b"shop.example.com", b"/.well-known/acme-challenge/early", 404),
        (b"shop.example.com:x", b"/early", 400),
    ],
    ids=["unbound", "reserved", "bad host"],
)
def test_an_early_answer_never_turns_the_body_into_a_request(
    stand: Stand, host: bytes, target: bytes, status: int, way: str, expect: bytes
) -> None:
    # spec: F5; attacks 4, 5 and 6
    since = len(stand.instance.requests)
    head = b"POST %b HTTP/1.1\r\nHost: %b\r\n%bContent-Length: %d\r\n\r\n" % (target, host, expect, len(SMUGGLED))
    with stand.door.connect() as client:
        if way == "one packet":
            client.send_quietly(head + SMUGGLED + INNOCENT)
        elif way == "bytewise":
            client.send_bytewise(head + SMUGGLED + INNOCENT)
        else:
            cut = 0 if way == "body later" else 10
            client.send_quietly(head + SMUGGLED[:cut])
            assert client.response().status == (417 if b"nothing" in expect and status == 404 else status)
            client.send_quietly(SMUGGLED[cut:] + INNOCENT)
        client.half_close()
        client.rest()
    assert stand.door.ask(get("/after")).status == 200  # whatever the first connection set off has gone out before this
    assert set(stand.completed(since)) <= {b"/innocent", b"/after"}


def test_unknown_names_are_forwarded_once_and_in_our_framing(stand: Stand) -> None:
    # spec: F5: the body is framed anew towards the instance
    body = b"05;ext=1\r\nhello\r\n000;x\r\n\r\n"
    head = b"POST /attack HTTP/1.1\r\nHost: shop.example.com\r\ntransfer-ENCODING:\t CHUNKED\t\r\n\r\n"
    with stand.door.connect() as client:
        seen = Echo(client.ask(head + body))
    assert [value.lower() for value in seen.all("transfer-encoding")] == (["chunked"] if stand.streams else [])
    assert seen.all("content-length") == ([] if stand.streams else ["5"])
    assert b"ext=1" not in stand.instance.seen
    assert seen.seen["length"] == 5
