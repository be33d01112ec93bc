"""Basic auth: who gets in with which hash, what a wrong password costs, and when a changed file is noticed."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2d, Argon2i, Argon2id

from lb.passwords.apr1 import apr1
from tests.e2e.harness.client import get, message, post
from tests.e2e.harness.door import FrontDoor
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import Echo, echo
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import Response

HOST = "shop.example.com"
HASHES = {
    "bcrypt": bcrypt.hashpw(b"secret", bcrypt.gensalt(4)),
    "apache": bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).replace(b"$2b$", b"$2y$"),
    "apr1": apr1(b"secret", b"saltsalt"),
    **{
        name: kind(salt=b"saltsaltsalt", length=16, iterations=1, lanes=1, memory_cost=32)
        .derive_phc_encoded(b"secret")
        .encode()
        for name, kind in (("argon2id", Argon2id), ("argon2i", Argon2i), ("argon2d", Argon2d))
    },
}


def basic(user: str, password: str) -> str:
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Guarded:
    """A front door whose `/admin/` asks for passwords; each test is a client of its own (by X-Forwarded-For)."""

    def __init__(self, door: FrontDoor, directory: Path, instance: Instance) -> None:
        self.door = door
        self.file = directory / "htpasswd"
        self.instance = instance
        self._clients = 0

    def new_client(self) -> None:
        self._clients += 1

    def ask(self, target: str, *lines: str, method: str = "GET") -> Response:
        client = f"X-Forwarded-For: 198.51.100.{self._clients}"
        return self.door.ask(message(f"{method} {target}", client, *lines, host=HOST))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with ExitStack() as stack:
        directory = tmp_path_factory.mktemp("basic")
        lines = [user.encode() + b":" + text for user, text in HASHES.items()]
        (directory / "htpasswd").write_bytes(b"# users\n" + b"\n".join(lines) + b"\n")
        (directory / "files").mkdir()
        (directory / "files" / "a.txt").write_text("a file")
        shop = stack.enter_context(Instance(echo("shop")))
        guard = {"basic_auth": {"file": str(directory / "htpasswd"), "realm": 'the "back" office'}}
        config: dict[str, Any] = {
            "listen": {"http": "127.0.0.1:0"},
            "workers": 1,
            "trusted_proxies": ["127.0.0.1"],
            "apps": {
                "shop": {
                    "domains": [{"name": HOST, "cdn": True}],
                    "production": {"instances": [shop.address]},
                    "routes": [
                        {"path": "/admin/", **guard, "cors": {"origins": ["https://a.example"]}},
                        {"path": "/moved", **guard, "redirect": "/new"},
                        {"path": "/files/", **guard, "files": str(directory / "files")},
                        {"path": "/inside/", **guard, "allow": ["192.0.2.0/24"]},
                    ],
                }
            },
        }
        yield Guarded(stack.enter_context(FrontDoor(config, directory)), directory, shop)


@pytest.fixture
def guarded(running: Guarded) -> Guarded:
    running.new_client()
    return running


@pytest.mark.parametrize("user", HASHES)
def test_a_right_password_gets_in(guarded: Guarded, user: str) -> None:
    # spec: P3
    for _ in range(2):  # verified, and then remembered
        echoed = Echo(guarded.ask("/admin/x", basic(user, "secret")))
        assert (echoed.target, echoed.one("authorization")) == ("/admin/x", basic(user, "secret").partition(": ")[2])


@pytest.mark.parametrize("user", [*HASHES, "nobody", ""])
def test_a_wrong_one_does_not(guarded: Guarded, user: str) -> None:
    # spec: P3
    response = guarded.ask("/admin/x", basic(user, "sekret"))
    assert response.status == 401
    assert response.one("www-authenticate") == b'Basic realm="the \\"back\\" office", charset="UTF-8"'
    assert b"authentication_failed" in response.body


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("Authorization: Bearer abc",),
        ("Authorization: Basic !!!",),
        ("Authorization: Basic " + base64.b64encode(b"no colon").decode(),),
        (basic("apr1", "secret"), basic("apr1", "sekret")),  # an app might take the other one
    ],
)
def test_what_is_no_password_is_asked_for(guarded: Guarded, lines: tuple[str, ...]) -> None:
    response = guarded.ask("/admin/x", *lines)
    assert response.status == 401
    assert b"authentication_required" in response.body
    assert response.has("www-authenticate")


@pytest.mark.parametrize(
    "target",
    ["/admin", "/%61dmin/", "/%2561dmin/", "//admin/", "/./admin/", "/x/..%2fadmin/", "/x/../admin/", "/x\\..\\admin/"],
)
def test_no_spelling_gets_round_it(guarded: Guarded, target: str) -> None:
    # spec: P3
    assert guarded.ask(target).status == 401
    assert guarded.ask(target, basic("apr1", "secret")).status == 200


@pytest.mark.parametrize(("target", "status"), [("/moved", 301), ("/files/a.txt", 200), ("/files/none", 404)])
def test_it_stands_before_redirects_and_files(guarded: Guarded, target: str, status: int) -> None:
    assert guarded.ask(target).status == 401
    assert guarded.ask(target, basic("bcrypt", "secret")).status == status


def test_all_guards_must_hold(guarded: Guarded) -> None:
    assert guarded.ask("/inside/", basic("apr1", "secret")).status == 403
    guarded_line = "X-Forwarded-For: 192.0.2.7"
    door = guarded.door
    assert door.ask(get("/inside/", guarded_line, host=HOST)).status == 401
    assert door.ask(get("/inside/", guarded_line, basic("apr1", "secret"), host=HOST)).status == 200


def test_a_preflight_needs_no_password_and_a_refusal_can_be_read(guarded: Guarded) -> None:
    lines = ("Origin: https://a.example", "Access-Control-Request-Method: GET")
    assert guarded.ask("/admin/", *lines, method="OPTIONS").status == 204
    refused = guarded.ask("/admin/", lines[0])
    assert (refused.status, refused.one("access-control-allow-origin")) == (401, b"https://a.example")


def test_a_body_waits_for_the_password(guarded: Guarded) -> None:
    body = b"x" * 100_000
    client = "X-Forwarded-For: 198.51.100.250"
    echoed = Echo(guarded.door.ask(post("/admin/", body, client, basic("argon2id", "secret"), host=HOST)))
    assert echoed.seen["length"] == len(body)
    seen = len(guarded.instance.requests)
    assert guarded.door.ask(post("/admin/", body, client, basic("argon2id", "no"), host=HOST)).status == 401
    assert len(guarded.instance.requests) == seen


def test_a_client_may_guess_only_so_often(guarded: Guarded) -> None:
    # spec: L5
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda n: guarded.ask("/admin/", basic("apr1", f"guess {n}")), range(40)))
    statuses = [response.status for response in responses]
    assert statuses.count(401) in range(20, 24)
    assert statuses.count(401) + statuses.count(429) == 40
    late = next(response for response in responses if response.status == 429)
    assert 1 <= int(late.one("retry-after")) <= 100
    assert b"authentication_limit_reached" in late.body
    assert guarded.ask("/admin/").status == 401  # who brings no password is only asked for one
    guarded.new_client()
    assert guarded.ask("/admin/", basic("apr1", "secret")).status == 200  # others get in


def test_right_passwords_do_not_count(guarded: Guarded) -> None:
    for _ in range(30):
        assert guarded.ask("/admin/", basic("apache", "secret")).status == 200


def test_a_changed_file_is_read_at_once(guarded: Guarded) -> None:
    before = guarded.file.read_bytes()
    try:
        changed = guarded.file.with_name("new")
        changed.write_bytes(b"late:" + apr1(b"later", b"x") + b"\n")
        assert guarded.ask("/admin/", basic("apr1", "secret")).status == 200
        changed.replace(guarded.file)
        assert guarded.ask("/admin/", basic("apr1", "secret")).status == 401  # although it was remembered
        assert guarded.ask("/admin/", basic("late", "later")).status == 200
        guarded.file.unlink()
        gone = guarded.ask("/admin/", basic("late", "later"))
        assert (gone.status, b"password_file_not_readable" in gone.body) == (500, True)
        assert guarded.file.name.encode() not in gone.body
        wait_for(lambda: any("htpasswd cannot be read" in line for line in guarded.door.stderr), "the line in the log")
    finally:
        guarded.file.write_bytes(before)
    assert guarded.ask("/admin/", basic("apr1", "secret")).status == 200


def test_an_unknown_user_costs_as_much_time(guarded: Guarded, tmp_path: Path) -> None:
    dear = bcrypt.hashpw(b"secret", bcrypt.gensalt(11))
    before = guarded.file.read_bytes()
    guarded.file.write_bytes(b"only:" + dear + b"\n")
    try:
        spent = {}
        for user in ("only", "nobody"):
            began = time.monotonic()
            assert guarded.ask("/admin/", basic(user, "wrong")).status == 401
            spent[user] = time.monotonic() - began
        assert spent["nobody"] > spent["only"] / 4
    finally:
        guarded.file.write_bytes(before)


def test_others_are_served_while_passwords_are_verified(guarded: Guarded) -> None:
    before = guarded.file.read_bytes()
    guarded.file.write_bytes(b"slow:" + bcrypt.hashpw(b"secret", bcrypt.gensalt(13)) + b"\n")
    try:
        with ThreadPoolExecutor(4) as pool:
            slow = [pool.submit(guarded.ask, "/admin/", basic("slow", f"guess {n}")) for n in range(4)]
            served = 0
            while not any(one.done() for one in slow):
                assert guarded.door.ask(get("/", host=HOST)).status == 200
                served += 1
            assert served > 1
            assert {one.result().status for one in slow} == {401}
    finally:
        guarded.file.write_bytes(before)


def test_a_client_that_leaves_is_let_go(guarded: Guarded) -> None:
    before = guarded.file.read_bytes()
    guarded.file.write_bytes(b"slow:" + bcrypt.hashpw(b"secret", bcrypt.gensalt(12)) + b"\n")
    try:
        client = guarded.door.connect()
        client.send(get("/admin/left", basic("slow", "secret"), host=HOST))
        client.close()
        wait_for(lambda: "/admin/left" in guarded.door.log_path.read_text(), "the line of the client that left")
    finally:
        guarded.file.write_bytes(before)
    assert not any(request.target == b"/admin/left" for request in guarded.instance.requests)
