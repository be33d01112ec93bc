"""The manager against a CA with every fault, on a clock that only the test moves."""

from __future__ import annotations

import logging
import time

import pytest

from lb.tls.acme.certificate_info import CertificateInfo, parse_held
from lb.tls.acme.desired import DesiredCertificate
from lb.tls.acme.store import Store
from tests.tls.acme.server import DAY
from tests.tls.acme.world import World

HOUR = 3600.0
NAME = "shop.example.com"


async def test_a_name_gets_its_certificate(world: World) -> None:
    # spec: T5
    ca = await world.add_ca()
    async with world.manager(NAME) as manager:
        await world.run(manager, 60)
    held = world.held(NAME)
    assert held is not None
    assert held.names == {NAME}
    assert len(ca.orders) == 1
    assert next(iter(ca.accounts.values()))["contact"] == ["mailto:ops@example.com"]
    assert not list((world.store.root / "orders").iterdir())
    assert not list(world.store.challenges.iterdir())
    mode = world.store.certificate_path(NAME).stat().st_mode
    assert mode & 0o077 == 0


async def test_several_names_in_one(world: World) -> None:
    # spec: T5
    ca = await world.add_ca(processing_looks=3)
    names = ("a.example.com", "b.example.com", "c.example.com")
    async with world.manager(wanted=(DesiredCertificate(names[0], names),)) as manager:
        await world.run(manager, 60)
    held = world.held(names[0])
    assert held is not None
    assert held.names == set(names)
    assert len(ca.orders) == 1


async def test_what_is_held_is_not_ordered_again(world: World) -> None:
    # spec: T5
    ca = await world.add_ca()
    for _ in range(3):
        async with world.manager(NAME) as manager:
            await world.run(manager, 60)
    assert len(ca.orders) == 1
    assert len(ca.accounts) == 1


async def test_what_was_not_written_since_is_not_read_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # spec: T5
    await world.add_ca()
    names = ("a.example.com", "b.example.com", "c.example.com")
    read: list[bytes] = []

    def counting(pem: bytes, private: bytes | None = None) -> CertificateInfo | None:
        read.append(pem)
        return parse_held(pem, private)

    async with world.manager(*names) as manager:
        await world.run(manager, 60)
        later = time.time_ns() + 10_000_000_000
        monkeypatch.setattr("lb.tls.files.file_stamp.time.time_ns", lambda: later)
        manager.reread()
        monkeypatch.setattr("lb.tls.acme.certificate_info.parse_held", counting)
        monkeypatch.setattr(Store, "_json", lambda _, path: read.append(path.name.encode()))
        manager.reread()
        assert read == []
        new = world.store.certificate(names[1])
        assert new is not None
        key, chain = new.split(b"-----BEGIN CERTIFICATE-----", 1)
        world.store.install(names[1], key, b"-----BEGIN CERTIFICATE-----" + chain)
        world.store.save_state(names[2], {})
        manager.reread()
    assert read == [world.store.certificate(names[1]), f"{names[2]}.json".encode()]


async def test_renewal_at_two_thirds(world: World) -> None:
    # spec: T5
    ca = await world.add_ca()
    async with world.manager(NAME) as manager:
        await world.run(manager, 57 * DAY)
        assert len(ca.orders) == 1
        await world.run(manager, 4 * DAY)
        assert len(ca.orders) == 2


async def test_short_lived_certificates(world: World) -> None:
    # spec: T5
    ca = await world.add_ca(profiles={"shortlived": 6 * DAY})
    async with world.manager(NAME, acme=world.acme(profile="shortlived")) as manager:
        await world.run(manager, 60 * DAY)
    assert 60 / 3.1 <= len(ca.orders) <= 60 / 2.8 + 1
    assert {order.profile for order in ca.orders} == {"shortlived"}


async def test_a_day_with_a_broken_ca(world: World) -> None:
    # spec: T5
    ca = await world.add_ca(lifetime=6 * DAY)
    async with world.manager(NAME) as manager:
        await world.run(manager, 2.8 * DAY)
        ca.is_down = True
        before = len(ca.requests)
        await world.run(manager, DAY)
        assert len(ca.requests) == before
        ca.is_down = False
        await world.run(manager, HOUR)
    held = world.held(NAME)
    assert held is not None
    assert len(ca.orders) == 2
    assert held.not_after - world.time > 5 * DAY


@pytest.mark.long
async def test_200_domains_and_a_ca_that_is_broken_for_a_day(world: World) -> None:
    # spec: T5
    ca = await world.add_ca(rejects_nonces=7)
    ca.fail("directory", 500, "serverInternal", times=10**9)
    names = [f"d{number}.example.com" for number in range(200)]
    async with world.manager(*names) as manager:
        await world.run(manager, DAY)
        assert 20 < 10**9 - ca.faults[0].times < 40 * 8  # they ask as one, not each for itself
        ca.faults.clear()
        await world.run(manager, HOUR)
    assert all(world.held(name) is not None for name in names)
    assert len(ca.orders) == 200
    assert len(ca.accounts) == 1
    assert ca.most_at_once <= 8


async def test_a_rate_limit_is_waited_for(world: World) -> None:
    # spec: T5
    ca = await world.add_ca()
    ca.fail("newOrder", 429, "rateLimited", times=1, retry_after="7200")
    async with world.manager(NAME) as manager:
        await world.run(manager, 7100)
        assert ca.count("newOrder") == 0  # the one that failed is not counted
        assert world.held(NAME) is None
        await world.run(manager, 200)
        assert world.held(NAME) is not None


async def test_when_all_are_limited_nobody_goes_on_asking(world: World) -> None:
    # spec: T5
    ca = await world.add_ca(limit=10)
    names = [f"d{number}.example.com" for number in range(40)]
    async with world.manager(*names) as manager:
        await world.run(manager, HOUR)
        assert len(ca.orders) == 10
        assert ca.count("newOrder") < 10 + 45
        ca.limit = None
        await world.run(manager, 6 * HOUR)
    assert all(world.held(name) is not None for name in names)


async def test_a_restart_does_not_ask_again(world: World) -> None:
    # spec: T5
    ca = await world.add_ca()
    ca.validate = lambda *_: False
    for _ in range(50):
        async with world.manager(NAME) as manager:
            await world.run(manager, 0)
    assert len(ca.orders) == 1


async def test_a_proof_that_is_not_seen_is_tried_another_way(world: World, caplog: pytest.LogCaptureFixture) -> None:
    # spec: T5
    ca = await world.add_ca()
    ca.validate = lambda kind, *_: kind == "tls-alpn-01"
    with caplog.at_level(logging.INFO):
        async with world.manager(NAME) as manager:
            await world.run(manager, 10 * 60)
    assert len(ca.orders) == 2
    assert world.held(NAME) is not None
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "the CA got an answer that is not ours: saw something else at shop.example.com" in said


async def test_failed_proofs_stay_within_the_limits(world: World) -> None:
    # spec: T5
    ca = await world.add_ca()
    ca.validate = lambda *_: False
    times: list[float] = []
    async with world.manager(NAME) as manager:
        for _ in range(24 * 12):
            before = len(ca.orders)
            await world.run(manager, 300)
            times += [world.time] * (len(ca.orders) - before)
    assert max(sum(start <= one < start + HOUR for one in times) for start in times) <= 5
    assert len(times) <= 12


async def test_the_second_ca(world: World) -> None:
    # spec: T5
    first, second = await world.add_ca(), await world.add_ca()
    first.is_down = True
    async with world.manager(NAME, "blog.example.com") as manager:
        await world.run(manager, 60)
        assert world.held(NAME) is not None
        assert len(second.orders) == 2
        first.is_down = False
        await world.run(manager, 61 * DAY)
    assert (len(first.orders), len(second.orders)) == (2, 2)


async def test_a_refused_name_says_why_and_is_asked_for_rarely(world: World) -> None:
    # spec: T5
    ca = await world.add_ca()
    ca.fail("newOrder", 400, "rejectedIdentifier", "it is on a list", times=10**6)
    async with world.manager(NAME) as manager:
        await world.run(manager, DAY)
    assert 10**6 - ca.faults[0].times <= 8
    state = world.store.state(NAME)
    assert state is not None
    assert state["failures"][0]["message"].endswith("the CA issues no certificates for this name: it is on a list")


async def test_renewal_information(world: World) -> None:
    # spec: T5
    ca = await world.add_ca()
    start = world.time
    ca.windows = lambda _: (start + 20 * DAY, start + 21 * DAY)
    async with world.manager(NAME) as manager:
        await world.run(manager, 19 * DAY)
        assert len(ca.orders) == 1
        assert ca.count("renewalInfo") == pytest.approx(19 * 4, abs=3)  # every six hours, as it says
        ca.windows = lambda leaf: (
            leaf.not_valid_before_utc.timestamp() + 60 * DAY,
            leaf.not_valid_before_utc.timestamp() + 61 * DAY,
        )
        await world.run(manager, DAY)
        assert len(ca.orders) == 1  # it changed its mind
        ca.windows = lambda _: (start, start + DAY)  # and again: at once
        await world.run(manager, 7 * HOUR)
        assert len(ca.orders) == 2
    assert ca.orders[1].replaces == ca.ari_of(next(iter(ca.leaves.values())))


async def test_a_ca_that_always_says_at_once(world: World) -> None:
    # spec: T5
    ca = await world.add_ca()
    ca.windows = lambda _: (0, 1)
    async with world.manager(NAME) as manager:
        await world.run(manager, 7 * DAY)
    assert len(ca.orders) <= 15


async def test_renewal_information_that_is_broken(world: World) -> None:
    # spec: T5
    ca = await world.add_ca()
    ca.windows = lambda _: None
    async with world.manager(NAME) as manager:
        await world.run(manager, 61 * DAY)
    assert len(ca.orders) == 2
    assert ca.count("renewalInfo") < 62 * 5


async def test_a_predecessor_that_was_replaced_already(world: World) -> None:
    # spec: T5
    ca = await world.add_ca()
    ca.windows = lambda leaf: (
        leaf.not_valid_before_utc.timestamp() + 30 * DAY,
        leaf.not_valid_before_utc.timestamp() + 31 * DAY,
    )
    async with world.manager(NAME) as manager:
        await world.run(manager, DAY)
        ca.replaced |= set(ca.leaves)
        await world.run(manager, 31 * DAY)
    assert [order.replaces for order in ca.orders] == ["", ""]


async def test_external_account(world: World) -> None:
    # spec: T5
    ca = await world.add_ca(bindings={"kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"})
    async with world.manager(NAME) as manager:
        await world.run(manager, 60)
    assert not ca.accounts
    acme = world.acme(eab={"kid": "kid-1", "hmac_key": ca.bindings["kid-1"]})
    async with world.manager(NAME, acme=acme) as manager:
        await world.run(manager, HOUR)
    assert world.held(NAME) is not None


async def test_a_clock_that_runs_ahead_spends_no_certificate(world: World, caplog: pytest.LogCaptureFixture) -> None:
    # spec: T5
    ca = await world.add_ca()
    async with world.manager(NAME) as manager:
        await world.run(manager, DAY)
        world.offset = 365 * DAY
        await world.run(manager, DAY)
        assert len(ca.orders) == 1
        assert "this machine's clock is 8760 hours ahead" in caplog.text
        world.offset = 0
        await world.run(manager, 10 * 60)
        assert len(ca.orders) == 1
        await world.run(manager, 60 * DAY)
        assert len(ca.orders) == 2


async def test_a_clock_that_goes_back(world: World) -> None:
    # spec: T5
    ca = await world.add_ca()
    ca.validate = lambda *_: False
    async with world.manager(NAME) as manager:
        await world.run(manager, HOUR)
        orders = len(ca.orders)
        world.offset = -365 * DAY
        ca.validate = lambda *_: True
        await world.run(manager, 60)
        assert len(ca.orders) == orders + 1
    assert world.held(NAME) is not None


async def test_asked_for_by_hand(world: World) -> None:
    # spec: T5
    ca = await world.add_ca()
    async with world.manager(NAME) as manager:
        await world.run(manager, 60)
        world.store.ask_for(NAME)
        world.store.ask_for("unknown.example.com")
        await world.run(manager, 60)
        assert len(ca.orders) == 2
        assert not world.store.requests()
        await world.run(manager, DAY)
        assert len(ca.orders) == 2


async def test_a_new_account_key(world: World) -> None:
    # spec: T5
    ca = await world.add_ca()
    async with world.manager(NAME) as manager:
        await world.run(manager, 60)
        before = next(iter(ca.accounts.values()))["jwk"]
        world.store.ask_for("account-key")
        await world.run(manager, 60)
        assert next(iter(ca.accounts.values()))["jwk"] != before
        world.store.ask_for(NAME)
        await world.run(manager, 60)
    assert len(ca.orders) == 2
    assert len(ca.accounts) == 1


async def test_an_account_that_the_ca_lost(world: World) -> None:
    # spec: T5
    ca = await world.add_ca()
    async with world.manager(NAME) as manager:
        await world.run(manager, 60)
        ca.accounts.clear()
        world.store.ask_for(NAME)
        await world.run(manager, HOUR)
    assert len(ca.accounts) == 1
    assert len(ca.orders) == 2


async def test_another_email(world: World) -> None:
    ca = await world.add_ca()
    async with world.manager(NAME) as manager:
        await world.run(manager, 60)
    async with world.manager(NAME, acme=world.acme(email="new@example.com")) as manager:
        world.store.ask_for(NAME)
        await world.run(manager, 60)
    assert next(iter(ca.accounts.values()))["contact"] == ["mailto:new@example.com"]


@pytest.mark.parametrize(
    "resource",
    [
        "directory",
        "newNonce",
        "newAccount",
        "newOrder",
        "authorization",
        "challenge",
        "order",
        "finalize",
        "certificate",
    ],
)
@pytest.mark.parametrize("fault", ["lost", "garbage", "html", "internal", "empty"])
async def test_wrong_answers_cost_a_second_attempt_and_nothing_else(world: World, resource: str, fault: str) -> None:
    # spec: T5
    ca = await world.add_ca(lists_orders=True)
    if fault == "lost":
        ca.lose_answer(resource)
    elif fault == "internal":
        ca.fail(resource, 500, "serverInternal")
    else:
        ca.answer_raw(resource, {"garbage": b"\x00\xff{", "html": b"<html>502</html>", "empty": b""}[fault], 502)
    async with world.manager(NAME) as manager:
        await world.run(manager, 5 * 60)
    assert world.held(NAME) is not None
    assert len(ca.orders) == 1
    assert len(ca.accounts) == 1


async def test_a_slow_ca(world: World) -> None:
    ca = await world.add_ca(processing_looks=20)
    ca.delay("finalize", 0.2)
    async with world.manager(NAME) as manager:
        await world.run(manager, 60)
    assert world.held(NAME) is not None


async def test_a_ca_that_decides_tomorrow(world: World) -> None:
    # spec: T5
    ca = await world.add_ca(processing_looks=10**6)
    async with world.manager(NAME) as manager:
        await world.run(manager, HOUR)
        assert world.held(NAME) is None
        ca.processing_looks = 0
        await world.run(manager, HOUR)
    assert world.held(NAME) is not None
    assert len(ca.orders) == 1


async def test_an_order_that_the_ca_forgot(world: World) -> None:
    ca = await world.add_ca()
    ca.fail("challenge", 500, "serverInternal")
    async with world.manager(NAME) as manager:
        await world.run(manager, 0)
        ca.orders.clear()
        await world.run(manager, 5 * 60)
    assert world.held(NAME) is not None


async def test_two_front_doors_on_one_store(world: World) -> None:
    # spec: T5
    ca = await world.add_ca()
    names = [f"d{number}.example.com" for number in range(10)]
    async with world.manager(*names) as one, world.manager(*names) as two:
        for _ in range(3):
            for manager in (one, two):
                manager.reread()
                manager.look()
            await one.wait_idle()
            await two.wait_idle()
            world.time += 11
    assert all(world.held(name) is not None for name in names)
    assert len(ca.orders) == 10
    assert len(ca.accounts) == 1


async def test_what_is_not_bound_any_more_is_not_renewed(world: World) -> None:
    # spec: T5
    ca = await world.add_ca()
    async with world.manager(NAME, "gone.example.com") as manager:
        await world.run(manager, 60)
    async with world.manager(NAME) as manager:
        await world.run(manager, 80 * DAY)
    assert sorted(name for order in ca.orders for name in order.names) == ["gone.example.com", NAME, NAME]
