"""Good files → the model: defaults, spellings, YAML's traps, variables; and files that cannot be read at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from lb.config import compose
from lb.config.load import config_for_instances, load_bytes, load_file
from lb.config.model import Config
from lb.config.problems import ConfigErrors, Problem

NOTHING: MappingProxyType[str, str] = MappingProxyType({})
ISSUE = b"""
listen:
  http: 127.0.0.1:8080          # a list is allowed; "[::]:80", ":80" too
  https: 127.0.0.1:8443
workers: auto
tls:
  certificates:
    - {cert: certs/shop.pem, key: certs/shop.key}
  challenges: certs/challenges
access_log: {path: "-", format: json}
trusted_proxies: [203.0.113.0/24]
shared_domain: apps.example.net
limits: {header_line: 8K, header_total: 64K, body: 100M}
timeouts: {connect: 60s, response: 60s, head: 60s, idle: 75s}
compression: {algorithms: [zstd, br, gzip], min_size: 256}
apps:
  shop:
    domains:
      - shop.example.com
      - stg-shop.example.com
      - {name: www.example.com, force_https: true, cdn: false}
    production:
      instances: [127.0.0.1:3000, 127.0.0.1:3001, "unix:/run/shop.sock"]
      balance: round_robin
    staging:
      instances: [127.0.0.1:4000]
"""
SMALL = (
    "listen: {{http: 127.0.0.1:8080}}\n{}\n"
    "apps: {{shop: {{domains: a.example, production: {{instances: 127.0.0.1:3000}}}}}}\n"
)


def small(more: str = "", environ: MappingProxyType[str, str] = NOTHING) -> Config:
    return load_bytes("lb.yaml", SMALL.format(more).encode(), environ).config


def refused(data: bytes, environ: MappingProxyType[str, str] = NOTHING) -> tuple[Problem, ...]:
    with pytest.raises(ConfigErrors) as errors:
        load_bytes("lb.yaml", data, environ)
    return errors.value.problems


def test_the_public_keys() -> None:
    # spec: R1
    config = load_bytes("lb.yaml", ISSUE, NOTHING).config
    assert [(address.host, address.port) for address in config.listen.http] == [("127.0.0.1", 8080)]
    assert [(address.host, address.port) for address in config.listen.https] == [("127.0.0.1", 8443)]
    assert config.workers is None
    assert [(pair.cert, pair.key) for pair in config.tls.certificates] == [
        (Path("certs/shop.pem"), Path("certs/shop.key"))
    ]
    assert config.tls.challenges == Path("certs/challenges")
    assert (config.access_log.path, config.access_log.format) == ("-", "json")
    assert config.trusted_proxies == (ip_network("203.0.113.0/24"),)
    assert config.shared_domain == "apps.example.net"
    assert config.compression is not None
    assert config.compression.algorithms == ("zstd", "br", "gzip")
    shop = config.apps["shop"]
    assert [(domain.name, domain.force_https) for domain in shop.domains] == [
        ("shop.example.com", False),
        ("stg-shop.example.com", False),
        ("www.example.com", True),
    ]
    assert shop.production is not None
    assert shop.staging is not None
    assert [instance.text for instance in shop.production.instances] == [
        "127.0.0.1:3000",
        "127.0.0.1:3001",
        "unix:/run/shop.sock",
    ]
    assert shop.production.balance == "round_robin"


def test_defaults_are_those_of_the_specification() -> None:
    # spec: L1 L2 L3 L4
    config = small()
    assert config.limits.header_line == 8 * 1024
    assert config.limits.header_total == 64 * 1024
    assert config.limits.header_fields == 1000
    assert config.limits.body == 100 * 1_048_576
    timeouts = config.timeouts
    assert (timeouts.connect, timeouts.response, timeouts.read, timeouts.head, timeouts.idle) == (60, 60, 60, 60, 75)
    assert config.compression is not None
    assert config.compression.algorithms == ("zstd", "br", "gzip")
    assert config.access_log.format == "json"
    assert config.admin is None
    assert config.trusted_proxies == ()
    domain = config.apps["shop"].domains[0]
    assert (domain.force_https, domain.cdn, domain.compression) == (False, False, True)


def test_nothing_can_be_changed_later() -> None:
    config = small()
    with pytest.raises(ValidationError):
        config.limits.body = 1


@pytest.mark.parametrize("word", ["off", "Off", "no", "NO", "false"])
def test_off(word: str) -> None:
    # spec: R1
    assert small(f"access_log: {word}").access_log.format == "off"
    assert small(f"access_log: {{format: {word}}}").access_log.format == "off"
    assert small(f"compression: {word}").compression is None
    assert small(f"admin: {word}").admin is None


def test_short_forms() -> None:
    # spec: R1
    assert small("access_log: combined").access_log.format == "combined"
    assert small("compression: on").compression == small().compression
    assert small("trusted_proxies: 10.0.0.0/8").trusted_proxies == (ip_network("10.0.0.0/8"),)
    assert (
        small("compression: {algorithms: gzip}").compression == small("compression: {algorithms: [gzip]}").compression
    )


def test_what_yaml_would_read_otherwise() -> None:
    # spec: R1
    assert small("workers: 010").workers == 10
    assert small("limits: {header_fields: 0100}").limits.header_fields == 100
    assert small("timeouts: {idle: 010}").timeouts.idle == 10.0
    assert small("access_log: {path: 010}").access_log.path == "010"
    assert small("access_log: {path: 22:22}").access_log.path == "22:22"
    assert small("access_log: {path: NO}").access_log.path == "NO"
    assert small("access_log: {path: 2026-11-20}").access_log.path == "2026-11-20"
    data = (
        b"listen: {http: ':80'}\napps: {no: {domains: on.example, production: {instances: 127.0.0.1:3000}}, 22:22: {}}"
    )
    assert refused(data)[0].message == '"22:22" cannot name an app'
    data = data.replace(b", 22:22: {}", b"")
    assert list(load_bytes("lb.yaml", data, NOTHING).config.apps) == ["no"]


@pytest.mark.parametrize("word", ["on", "yes", "True"])
def test_switches(word: str) -> None:
    # spec: R1
    data = ISSUE.replace(b"cdn: false", f"cdn: {word}".encode())
    assert load_bytes("lb.yaml", data, NOTHING).config.apps["shop"].domains[2].cdn is True


def test_variables() -> None:
    # spec: R1
    environ = MappingProxyType({"PORT": "8081", "EMPTY": "", "WORKERS": "3", "OFF": "off", "TRICK": "a\nworkers: 9"})
    assert small("admin: 127.0.0.1:${PORT}", environ).admin == small("admin: 127.0.0.1:8081").admin
    assert small("workers: ${WORKERS}", environ).workers == 3
    assert small('workers: "${WORKERS}"', environ).workers == 3
    assert small("workers: ${NONE:-5}", environ).workers == 5
    assert small("workers: ${EMPTY:-6}", environ).workers == 6
    assert small("compression: ${OFF}", environ).compression is None
    assert small("access_log: {path: '${EMPTY}${NONE:-}log'}", environ).access_log.path == "log"
    assert small("access_log: {path: '$${PORT}-$PORT'}", environ).access_log.path == "${PORT}-$PORT"
    tricked = small("access_log: {path: '${TRICK}'}", environ)
    assert (tricked.access_log.path, tricked.workers) == ("a\nworkers: 9", None)


def test_blanks_around_a_variable_do_not_count() -> None:
    # spec: R1: a line of an env file may have them, or Windows' line end
    text = (
        b"listen: {http: '127.0.0.1:${PORT}'}\napps: {shop: {domains: [a.b], production: {instances: 127.0.0.1:1}}}\n"
    )
    loaded = load_bytes("lb.yaml", text, {"PORT": " 3000\r\n"})
    assert [one.port for one in loaded.config.listen.http] == [3000]


def test_variables_are_not_replaced_twice() -> None:
    # spec: R1
    environ = MappingProxyType({"A": "${B}", "B": "no"})
    assert small("access_log: {path: '${A}'}", environ).access_log.path == "${B}"


def test_aliases_stand_for_whole_values() -> None:
    # spec: R1
    data = b"""
listen: {http: ":80"}
apps:
  shop:
    domains: [a.example, stg-a.example]
    production: &here
      instances: [127.0.0.1:3000]
    staging: *here
"""
    shop = load_bytes("lb.yaml", data, NOTHING).config.apps["shop"]
    assert shop.production == shop.staging


def test_a_mistake_behind_an_anchor_is_reported_where_it_is_written() -> None:
    # spec: R1
    data = ISSUE.replace(b"staging:\n      instances: [127.0.0.1:4000]", b"staging: *p").replace(
        b"production:", b"production: &p"
    )
    assert [(problem.line, problem.message) for problem in refused(data.replace(b"127.0.0.1:3001", b"3001"))] == [
        (23, 'apps.shop.production.instances[1]: "3001" lacks an address'),
        (23, 'apps.shop.staging.instances[1]: "3001" lacks an address'),
    ]


@pytest.mark.parametrize(
    ("change", "to"),
    [(b"\n", b"\r\n"), (b"\n", b"\r"), (b"\nlisten", b"\xef\xbb\xbflisten"), (b"\nlisten", b"---\nlisten")],
)
def test_line_ends_and_byte_order_mark(change: bytes, to: bytes) -> None:
    # spec: R1
    data = ISSUE.replace(change, to)
    assert load_bytes("lb.yaml", data, NOTHING).config == load_bytes("lb.yaml", ISSUE, NOTHING).config


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\x85", "\u2028"])
def test_lines_are_counted_as_yaml_does(line_end: str) -> None:
    # spec: R1
    (problem,) = refused(SMALL.format("# café\nworker: 2").replace("\n", line_end).encode())
    assert (problem.line, problem.column) == (3, 1)
    assert problem.snippet == "worker: 2\n^^^^^^"


def test_carets_stand_under_wide_characters() -> None:
    # spec: R1
    (problem,) = refused(SMALL.format('access_log: {path: "例え", format: jsn}').encode())
    assert problem.snippet.splitlines()[1] == " " * len('access_log: {path: "xxxx", format: ') + "^^^"


def test_without_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    # spec: R1
    with_it = load_bytes("lb.yaml", ISSUE, NOTHING).config
    monkeypatch.setattr(compose, "_LOADER", yaml.SafeLoader)
    assert load_bytes("lb.yaml", ISSUE, NOTHING).config == with_it
    assert refused(b"a: *.example.com\n")[0].hint == 'write "*.example.com"'
    assert refused(b"a:\n\tb: 1\n")[0].message == "this line is indented with a tab"
    assert refused(b"a: {b: 1\n")[0].message == 'this "{" is never closed'
    assert refused(b"a: 'b\n")[0].message == "this quote is never closed"
    assert refused(b"a: [::]:80\n")[0].hint == 'write "[::]:80"'
    assert refused(b"a: @b\n")[0].message == 'a value that begins with "@" needs quotes'
    assert refused(b"a:\n  b: 1\n c: 2\n")[0].message == "this line does not fit the lines before it"


def test_large_files_are_quick_to_refuse() -> None:
    # spec: R1
    chain = "a0: &a0 1\n" + "".join(f"a{i}: &a{i} {'[' * 15}*a{i - 1}{']' * 15}\n" for i in range(1, 200))
    assert "expand too far" in refused(chain.encode())[0].message
    too_deep = "this is nested more than 20 levels deep"
    assert refused(b"[" * 100_000)[0].message == too_deep
    assert refused(b"{a: " * 10_000)[0].message == too_deep
    assert refused(b"- " * 10_000)[0].message == too_deep


@pytest.mark.parametrize("most", [30, 300, 3000])
@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
def test_the_words_do_not_depend_on_the_parsers_own_bound(
    most: int, loader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # spec: R1
    def parse(text: str, Loader: Any) -> Iterator[yaml.Event]:  # noqa: N803  PyYAML's name
        if text.count("[") >= most:
            mark = yaml.Mark("", most, 0, most, text, most)
            raise yaml.MarkedYAMLError("while nesting", mark, "some words", mark)
        yield from real(text, Loader=Loader)

    real = yaml.parse
    monkeypatch.setattr(compose, "_LOADER", getattr(yaml, loader, yaml.SafeLoader))
    monkeypatch.setattr(yaml, "parse", parse)
    (problem,) = refused(b"[" * 10_000)
    assert problem.message == "this is nested more than 20 levels deep"
    assert problem.hint == "no key of lb is nested so deeply: remove brackets, or indent less"
    assert problem.column == 21


def test_brackets_in_quotes_are_not_nested() -> None:
    # spec: R1
    (problem,) = refused(("a: {b: '" + "[" * 30 + "', c: 1 d: 2}\n").encode())
    assert "nested" not in problem.message


class TestFilesThatCannotBeRead:
    """# spec: R1"""

    def said(self, path: Path) -> str:
        with pytest.raises(ConfigErrors) as errors:
            load_file(path, NOTHING)
        return str(errors.value)

    def test_missing(self, tmp_path: Path) -> None:
        (tmp_path / "shop.yaml").touch()
        said = self.said(tmp_path / "shop.yml")
        assert (
            said == f"{tmp_path}/shop.yml: error: there is no such file\n    hint: did you mean {tmp_path}/shop.yaml?"
        )
        for far in ("ship-two.yaml", "s.yaml", "shop"):
            (tmp_path / far).touch()
        assert "shop.yaml?" in self.said(tmp_path / "sohp.yaml")
        for name in ("lb.yaml", "web.yaml", "top.yml", "a.conf"):
            assert self.said(tmp_path / name) == f"{tmp_path}/{name}: error: there is no such file"
        assert self.said(tmp_path / "no" / "lb.yaml") == f"{tmp_path}/no/lb.yaml: error: there is no such file"

    def test_directory(self, tmp_path: Path) -> None:
        assert self.said(tmp_path) == f"{tmp_path}: error: this is a directory, not a file"
        (tmp_path / "lb.yaml").touch()
        assert self.said(tmp_path).endswith(f"\n    hint: did you mean {tmp_path}/lb.yaml?")

    def test_forbidden(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def forbid(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(
            "lb.config.load.read_soon", forbid
        )  # the mode of a file does not stop a test that runs as root
        assert "this file may not be read" in self.said(tmp_path / "lb.yaml")

    def test_too_large(self, tmp_path: Path) -> None:
        path = tmp_path / "lb.yaml"
        with path.open("wb") as file:
            os.truncate(file.fileno(), 9 << 20)
        assert "larger than 8 MiB" in self.said(path)

    def test_odd_names(self, tmp_path: Path) -> None:
        assert "cannot be read" in self.said(tmp_path / "a\0b")
        assert "\x1b" not in self.said(tmp_path / "\x1b[31m.yaml")


def test_load_file_gives_warnings_and_places(tmp_path: Path) -> None:
    # spec: T3 R1
    path = tmp_path / "lb.yaml"
    path.write_bytes(ISSUE.replace(b"cdn: false", b"cdn: true"))
    loaded = load_file(path, NOTHING)
    (warning,) = loaded.warnings
    assert (warning.level, warning.line) == ("warning", 21)
    assert "X-Forwarded-Proto" in warning.message
    problem = loaded.origin.problem(("tls", "certificates", 0, "key"), "the key does not match")
    assert str(problem) == (
        f"{path}:8:35: error: the key does not match\n"
        "    - {cert: certs/shop.pem, key: certs/shop.key}\n"
        "                                  ^^^^^^^^^^^^^^"
    )


class TestOneAppWithoutAFile:
    """`lb serve --to … [--domain …]`"""

    def test_every_host(self) -> None:
        config = config_for_instances(["127.0.0.1:8000", "unix:/run/a.sock"], [], ":8080")
        (app,) = config.apps.values()
        assert [domain.name for domain in app.domains] == ["*"]
        assert app.production is not None
        assert [instance.text for instance in app.production.instances] == ["127.0.0.1:8000", "unix:/run/a.sock"]
        assert [(address.host, address.port) for address in config.listen.http] == [("", 8080)]

    def test_named_hosts(self) -> None:
        config = config_for_instances(["127.0.0.1:8000"], ["Shop.example.com", "bücher.example"], "127.0.0.1:8080")
        names = [domain.name for domain in config.apps["app"].domains]
        assert names == ["shop.example.com", "xn--bcher-kva.example"]

    def test_mistakes_point_into_the_options(self) -> None:
        with pytest.raises(ConfigErrors) as errors:
            config_for_instances(["8000", "127.0.0.1:80"], ["_", "a.example", "a.example"], ":80")
        assert str(errors.value) == (
            'lb serve: error: "_" is not a domain\n'
            "    --domain _\n"
            "             ^\n"
            "    hint: for every name that nobody bound write domains_default: shop at the top of the file\n"
            'lb serve: error: "8000" lacks an address\n'
            "    --to 8000\n"
            "         ^^^^\n"
            "    hint: write 127.0.0.1:8000\n"
            'lb serve: error: a.example is bound twice, in "--domain a.example" (to the app "app")\n'
            "    --domain a.example\n"
            "             ^^^^^^^^^\n"
            "    hint: remove one of the two\n"
            'lb serve: error: "127.0.0.1:80" is an address of lb itself (in "--http :80"): requests would loop\n'
            "    --to 127.0.0.1:80\n"
            "         ^^^^^^^^^^^^\n"
            "    hint: write the address that the app listens on"
        )

    def test_nothing_to_serve(self) -> None:
        with pytest.raises(ConfigErrors) as errors:
            config_for_instances([], [], ":80")
        assert "lb serve: error: the list is empty" in str(errors.value)


@pytest.mark.parametrize("key", ["workers", "shared_domain", "admin", "access_log", "trusted_proxies"])
def test_a_variable_with_bytes_that_are_no_text_is_refused_like_any_other(key: str) -> None:
    # spec: R1; os.environ has such bytes as lone surrogates
    (problem,) = refused(SMALL.format(f'{key}: "${{ODD}}"').encode(), MappingProxyType({"ODD": "a\udcff"}))
    assert '"${ODD}"' in problem.message
