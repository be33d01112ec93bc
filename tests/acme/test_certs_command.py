"""`lb certs`: what people read about their certificates, and what they can ask for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner, Result

from lb.cli.main import main
from tests.acme.world import World
from tests.tls.files import issue

NAME = "shop.example.com"


def run(world: World, command: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["certs", command, *arguments, "--store", str(world.store.root)])


@pytest.fixture
async def filled(world: World) -> World:
    """A store with one certificate, one that failed, and one that nobody wants any more."""
    ca = await world.add_ca()
    async with world.manager("gone.example.com") as manager:
        await world.run(manager, 10)
    ca.validate = lambda _, name, *__: name != "blog.example.com"
    async with world.manager(NAME, "blog.example.com") as manager:
        await world.run(manager, 10)
    return world


async def test_list(filled: World) -> None:
    # spec: T5
    result = run(filled, "list")
    assert result.exit_code == 0, result.output
    shop, blog, error, gone = result.output.splitlines()[-4:]
    if "blog" in shop:
        blog, error, gone, shop = shop, blog, error, gone
    assert "expires 2027-04-15" in (shop + gone)
    assert "no certificate yet; from ACME; next attempt" in blog
    assert "the CA got another answer than ours: saw something else at blog.example.com" in error
    assert "not renewed: no bound domain needs it" in result.output


async def test_list_for_programs(filled: World) -> None:
    rows = {row["name"]: row for row in json.loads(run(filled, "list", "--json").output)}
    assert set(rows) == {NAME, "blog.example.com", "gone.example.com"}
    assert rows[NAME]["names"] == [NAME]
    assert rows[NAME]["last_error"] is None
    assert rows["blog.example.com"]["failures"] == 1


async def test_show(filled: World) -> None:
    # spec: T5
    result = run(filled, "show", NAME)
    assert result.exit_code == 0
    assert "issuer        Fake CA" in result.output
    assert "next attempt  2027-03-" in result.output
    failed = run(filled, "show", "blog.example.com").output
    assert "failed        blog.example.com (http-01): the CA got another answer" in failed
    missing = run(filled, "show", "x.example.com")
    assert missing.exit_code == 1
    assert "there is no certificate for x.example.com" in missing.output


async def test_renew(filled: World) -> None:
    # spec: T5
    before = len(filled.cas[0].orders)
    assert run(filled, "renew", NAME).exit_code == 0
    async with filled.manager(NAME) as manager:
        await filled.run(manager, 10)
    assert len(filled.cas[0].orders) == before + 1
    refused = run(filled, "renew", "gone.example.com")
    assert refused.exit_code == 1


async def test_new_account_key(filled: World) -> None:
    assert run(filled, "new-account-key").exit_code == 0
    key = next(iter(filled.cas[0].accounts.values()))["jwk"]
    async with filled.manager(NAME) as manager:
        await filled.run(manager, 10)
    assert next(iter(filled.cas[0].accounts.values()))["jwk"] != key


async def test_import(world: World, tmp_path: Path) -> None:
    # spec: T5
    ca = await world.add_ca()
    files = issue(trustme.CA(), tmp_path, NAME, "www.example.com")
    combined = tmp_path / "both.pem"
    combined.write_bytes(b"a remark\n" + files.cert.read_bytes() + files.key.read_bytes())
    result = CliRunner().invoke(
        main, ["certs", "import", str(combined), str(combined), "--store", str(world.store.root)]
    )
    assert result.exit_code == 0, result.output
    held = world.held(NAME)
    assert held is not None
    assert held.names == {NAME, "www.example.com"}
    world.time = held.not_before + 10
    async with world.manager(NAME) as manager:
        await world.run(manager, 10)
        assert len(ca.orders) == 0
        world.time = held.not_before + held.lifetime * 0.67
        await world.run(manager, 10)
        assert len(ca.orders) == 1


async def test_import_of_what_cannot_serve(world: World, tmp_path: Path) -> None:
    one, other = (issue(trustme.CA(), tmp_path, NAME) for _ in range(2))
    result = CliRunner().invoke(
        main, ["certs", "import", str(one.cert), str(other.key), "--store", str(world.store.root)]
    )
    assert result.exit_code == 1
    assert "not the key of the first certificate" in result.output


def test_an_empty_place(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["certs", "list", "--store", str(tmp_path / "none")])
    assert result.exit_code == 0
    assert "no certificates in" in result.output
    assert "no front door has worked on this store yet" in result.output
    assert CliRunner().invoke(main, ["certs", "new-account-key", "--store", str(tmp_path / "none")]).exit_code == 1


def test_by_configuration(tmp_path: Path) -> None:
    files = issue(trustme.CA(), tmp_path, NAME)
    config = tmp_path / "lb.yaml"
    config.write_text(
        json.dumps(
            {
                "listen": {"https": ":8443"},
                "tls": {"certificates": {"cert": str(files.cert), "key": str(files.key)}, "store": str(tmp_path)},
                "apps": {"shop": {"domains": [NAME], "production": {"instances": "127.0.0.1:1"}}},
            }
        )
    )
    result = CliRunner().invoke(main, ["certs", "list", "--config", str(config)])
    assert result.exit_code == 0, result.output
    assert f"{NAME}  expires" in result.output
    assert "from file" in result.output
