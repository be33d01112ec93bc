"""`lb certs`: what people read about their certificates, and what they can ask for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner, Result

from lb.cli.main import main
from lb.tls.acme.store import Store
from lb.tls.files.local_ca import LocalCa
from tests.tls.acme.world import World
from tests.tls.certificate_files import issue

NAME = "shop.example.com"


def run(world: World, command: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["certs", command, *arguments, "--store", str(world.store.root)])


@pytest.fixture
async def filled(world: World) -> World:
    """A store with one certificate, one that failed, and one that is no longer wanted."""
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
    heads, *lines = result.stdout.splitlines()
    assert heads.split() == ["NAME", "EXPIRES", "SOURCE", "NEXT"]
    blog, error, gone, shop = lines
    assert "2027-04-15, in " in shop
    assert "renewal in " in shop
    assert "no certificate yet ACME" in " ".join(blog.split())
    assert "attempt in " in blog
    assert error.startswith("  failed ")
    assert "the CA got an answer that is not ours: saw something else at blog.example.com" in error
    assert " ".join(gone.split()).endswith("the store not renewed: no bound domain needs it")
    starts = {line.index(word) for line, word in ((heads, "NEXT"), (blog, "attempt"), (gone, "not renewed"))}
    assert len(starts) == 1, "the columns are aligned"


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
    assert "failed        blog.example.com (http-01): the CA got an answer that is not ours" in failed
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


@pytest.mark.parametrize("command", ["list", "show", "renew"])
@pytest.mark.parametrize(("place", "words"), [("none", "none does not exist"), (".", "has no certificates of lb")])
def test_a_place_that_is_no_store(tmp_path: Path, command: str, place: str, words: str) -> None:
    arguments = [command, *([NAME] if command != "list" else []), "--store", str(tmp_path / place)]
    result = CliRunner().invoke(main, ["certs", *arguments])
    assert result.exit_code == 1
    assert words in result.output
    assert "--config" in result.output
    assert CliRunner().invoke(main, ["certs", "new-account-key", "--store", str(tmp_path / "none")]).exit_code == 1


def test_an_empty_store(tmp_path: Path) -> None:
    Store(tmp_path).prepare()
    result = CliRunner().invoke(main, ["certs", "list", "--store", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (0, f"no certificates in {tmp_path}\n")
    assert CliRunner().invoke(main, ["certs", "list", "--store", str(tmp_path), "--json"]).stdout == "[]\n"


def write_config(directory: Path, domains: list[str], **tls: object) -> Path:
    file = directory / "lb.yaml"
    content = {
        "listen": {"https": ":8443"},
        "tls": {"store": str(directory / "store"), **tls},
        "apps": {"shop": {"domains": domains, "production": {"instances": "127.0.0.1:1"}}},
    }
    file.write_text(json.dumps(content))
    return file


def certs(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["certs", *map(str, arguments)])


def test_the_local_certificate_is_listed_and_shown(tmp_path: Path) -> None:
    # spec: T5
    names = ["a.localhost", "b.localhost", "shop.test"]
    config = write_config(tmp_path, names)
    before = certs("list", "-c", config)
    assert before.exit_code == 0, before.output
    assert before.stdout.splitlines()[1].split("  ")[0] == "a.localhost and 2 more"
    assert "no certificate yet  the local authority  created when lb serves it" in before.stdout
    LocalCa(tmp_path / "store").certificate(names)
    for place in (("-c", config), ("--store", tmp_path / "store")):
        line = certs("list", *place).stdout.splitlines()[1]
        assert "in 6 d 23 h" in line or "in 7 d" in line
        assert "the local authority  replaced in 3 d" in line
    shown = certs("show", "SHOP.test.", "-c", config)
    assert "names         a.localhost, b.localhost, shop.test" in shown.stdout
    assert "local.pem" in shown.stdout
    renewed = certs("renew", "shop.test", "-c", config)
    assert renewed.exit_code == 1
    assert "the local authority renews it by itself, in time" in renewed.output


def test_what_was_never_served_is_listed_as_lacking(tmp_path: Path) -> None:
    # spec: T5
    names = [f"{number}.example.com" for number in range(12)]
    pair = issue(trustme.CA(), tmp_path, names[3])
    files = {"cert": str(pair.cert), "key": str(pair.key)}
    config = write_config(tmp_path, names, acme={"agree_to_terms": True}, certificates=files)
    result = certs("list", "-c", config)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()[1:]
    assert len(lines) == 12
    assert (
        sum(" ".join(line.split()).endswith("no certificate yet ACME ordered when lb serves it") for line in lines)
        == 11
    )
    assert "no front door has used this store yet" in result.stderr
    refused = certs("renew", names[0], "-c", config)
    assert "it is ordered as soon as lb serves the configuration" in refused.output
    refused = certs("renew", names[3], "-c", config)
    assert f"replace {pair.cert} and its key" in refused.output


def test_import_says_when_nothing_needs_it(tmp_path: Path) -> None:
    pair = issue(trustme.CA(), tmp_path, "other.example.com")
    config = write_config(tmp_path, [NAME])
    result = certs("import", pair.cert, pair.key, "-c", config)
    assert result.exit_code == 0, result.output
    assert "no domain in" in result.stderr
    pair = issue(trustme.CA(), tmp_path, NAME)
    assert certs("import", pair.cert, pair.key, "-c", config).stderr == ""
    pair = issue(trustme.CA(), tmp_path, "::1")
    assert certs("import", pair.cert, pair.key, "-c", config).exit_code == 1


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
    assert "a file  reloaded when the file is replaced" in result.output


# spec: E3
def test_a_domain_that_no_certificate_covers_is_listed(tmp_path: Path) -> None:
    files = issue(trustme.CA(), tmp_path, NAME, "*.example.net")
    file = tmp_path / "lb.yaml"
    file.write_text(
        f"listen: {{https: 127.0.0.1:8443}}\n"
        f"tls: {{store: {tmp_path / 'store'}, certificates: [{{cert: {files.cert}, key: {files.key}}}]}}\n"
        f"apps: {{shop: {{domains: [{NAME}, a.example.net, localhost, mis.example.com],"
        f" production: {{instances: 127.0.0.1:3000}}}}}}\n"
    )
    result = CliRunner().invoke(main, ["certs", "list", "--config", str(file)])
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.output.splitlines()[1:]]
    assert {line.split()[0] for line in lines} == {"mis.example.com", "*.example.net", "localhost"}
    assert lines[0].startswith("mis.example.com no certificate HTTPS fails: add one to tls.certificates")
    renewed = CliRunner().invoke(main, ["certs", "renew", "mis.example.com", "--config", str(file)])
    assert renewed.exit_code == 1
    assert "there is none; HTTPS fails" in renewed.output
