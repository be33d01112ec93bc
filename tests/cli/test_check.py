"""`lb check` and `lb config` as a user runs them: what is printed where, and the exit code."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lb.cli.check import check
from lb.cli.config import config
from lb.tls.files.self_signed import ensure_certificate

GOOD = """listen: {http: "127.0.0.1:8080"}
apps:
  shop:
    domains: [shop.example.com, stg-shop.example.com]
    production: {instances: [127.0.0.1:3000, 127.0.0.1:3001]}
    staging: {instances: [127.0.0.1:4000]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(text: str | None, *, name: str = "lb.yaml") -> Result:
    if text is not None:
        Path(name).write_text(text, encoding="utf-8")
    return CliRunner().invoke(check, [name])


def test_good(folder: Path) -> None:
    # spec: R5
    result = run(GOOD)
    assert result.exit_code == 0
    assert result.stdout == "lb.yaml is fine: 1 listener, 1 app, 2 domains, 3 instances\n"
    assert result.stderr == ""


def test_warnings_are_no_failure(folder: Path) -> None:
    # spec: R5 T3
    result = run(GOOD.replace("[shop.example.com,", "[{name: shop.example.com, cdn: true},"))
    assert result.exit_code == 0
    assert result.stdout.startswith("lb.yaml is fine: ")
    assert result.stderr.startswith("lb.yaml:4:45: warning: cdn is on, but no CDN is trusted")


def test_named_sets_of_networks_have_an_age(folder: Path) -> None:
    # spec: R5
    result = run(
        "trusted_proxies: [cloudflare, private]\n"
        + GOOD.replace("[shop.example.com,", "[{name: shop.example.com, cdn: true},")
    )
    assert result.exit_code == 0
    assert result.stderr == ""
    first, second = result.stdout.splitlines()
    assert first.startswith("lb.yaml is fine: ")
    assert second.startswith("trusted_proxies: cloudflare is the list of 20")
    assert "https://www.cloudflare.com/ips has the current one" in second


def test_shared_names_are_counted(folder: Path) -> None:
    # spec: D3
    assert "4 domains" in run(GOOD + "shared_domain: apps.example.net\n").stdout


def test_errors_and_warnings_by_line(folder: Path) -> None:
    # spec: R1 R5
    result = run("trusted_proxies: [10.0.0.0/8]\nworker: 2\n" + GOOD.replace("127.0.0.1:3001", "127.0.0.1:8080"))
    assert result.exit_code == 78
    assert result.stdout == ""
    heads = [line for line in result.stderr.splitlines() if not line.startswith(" ")]
    assert [head.split(" ")[0] for head in heads] == ["lb.yaml:1:1:", "lb.yaml:2:1:", "lb.yaml:7:46:", "lb.yaml:"]
    assert heads[-1] == "lb.yaml: 2 errors, 1 warning"


def test_a_file_that_is_not_there(folder: Path) -> None:
    # spec: R5
    result = run(None)
    assert result.exit_code == 78
    assert result.stderr == "lb.yaml: error: there is no such file\nlb.yaml: 1 error\n"


def test_a_file_with_an_odd_name(folder: Path) -> None:
    # spec: R5
    good = run(GOOD, name="\udcff\x1b[31m.yaml")
    assert (good.exit_code, "\x1b" in good.stdout) == (0, False)
    bad = run("workers: 0", name="\udcff\x1b[31m.yaml")
    assert (bad.exit_code, "\x1b" in bad.stderr) == (78, False)


def test_wrong_usage() -> None:
    # spec: R5
    assert CliRunner().invoke(check, []).exit_code == 2
    assert CliRunner().invoke(check, ["a", "b"]).exit_code == 2
    assert CliRunner().invoke(config, ["scheme"]).exit_code == 2


class TestCertificates:
    """The files that tls.certificates names are read, all of them."""

    # spec: T4 R1

    def with_tls(self, *pairs: tuple[Path, Path], domains: str = "localhost") -> str:
        listed = "".join(f"    - {{cert: {cert}, key: {key}}}\n" for cert, key in pairs)
        return (
            f"listen: {{https: 127.0.0.1:8443}}\ntls:\n  certificates:\n{listed}"
            f"apps: {{shop: {{domains: [{domains}], production: {{instances: 127.0.0.1:3000}}}}}}\n"
        )

    def test_good(self, folder: Path) -> None:
        pair = ensure_certificate(folder, ["localhost"])
        result = run(self.with_tls((pair.cert, pair.key)))
        assert (result.exit_code, result.stderr) == (0, "")

    def test_all_that_is_wrong(self, folder: Path) -> None:
        one, two = (ensure_certificate(folder / name, ["localhost"]) for name in ("one", "two"))
        Path("empty.pem").touch()
        result = run(
            self.with_tls(
                (Path("no.pem"), one.key), (one.cert, two.key), (Path("empty.pem"), two.key), (one.cert, Path("no.key"))
            )
        )
        assert result.exit_code == 78
        heads = [line for line in result.stderr.splitlines() if not line.startswith(" ")]
        assert [head.split(":")[1] for head in heads[:-1]] == ["4", "5", "6", "7"]
        assert "no.pem: No such file" in heads[0]
        assert f"the path is relative to the working directory, {folder}" in result.stderr

    def test_a_redirect_to_an_uncovered_name(self, folder: Path) -> None:
        pair = ensure_certificate(folder, ["localhost"])
        domains = "{name: localhost, force_https: true}, {name: shop.example.com, force_https: true}, other.example"
        result = run(self.with_tls((pair.cert, pair.key), domains=domains))
        assert result.exit_code == 0
        heads = [line for line in result.stderr.splitlines() if not line.startswith(" ")]
        assert heads[0].endswith("warning: shop.example.com redirects to HTTPS, but no certificate covers it")
        assert heads[1].endswith("warning: no certificate covers other.example: HTTPS fails for it")
        assert len(heads) == 2

    # spec: E3
    def test_names_that_no_certificate_covers(self, folder: Path) -> None:
        pair = ensure_certificate(folder, ["localhost"])
        result = run(self.with_tls((pair.cert, pair.key), domains="localhost, a.test, 10.0.0.1, '*.example.com'"))
        (head,) = (line for line in result.stderr.splitlines() if not line.startswith(" "))
        assert head.endswith("warning: no certificate covers *.example.com: HTTPS fails for it")
        assert "lb certs import" in result.stderr
        many = ", ".join(f"n{number}.example.com" for number in range(30))
        heads = [
            line
            for line in run(self.with_tls((pair.cert, pair.key), domains=many)).stderr.splitlines()
            if not line.startswith(" ")
        ]
        assert len(heads) == 11
        assert any("20 more domains (lb certs list --config names them)" in head for head in heads)


@pytest.mark.usefixtures("folder")
class TestAccessLog:
    """The access log's file is found to be impossible before it is needed."""

    # spec: R1 R5

    def said(self, path: str) -> Result:
        return run(GOOD + f"access_log: {{path: {path}}}\n")

    def test_a_directory_that_is_not_there(self, folder: Path) -> None:
        result = self.said("/no/such/access.log")
        assert result.exit_code == 78
        column = len("access_log: {path: ") + 1
        line = len(GOOD.splitlines()) + 1
        assert result.stderr.startswith(
            f'lb.yaml:{line}:{column}: error: access_log.path: the directory "/no/such" does not exist\n'
        )
        assert "    hint: create it: mkdir -p /no/such\n" in result.stderr
        assert f"the path is relative to the working directory, {folder}" in self.said("logs/access.log").stderr

    def test_what_is_no_directory_or_no_file(self) -> None:
        Path("file").touch()
        assert 'the directory "file" is not a directory' in self.said("file/access.log").stderr
        result = self.said(".")
        assert result.exit_code == 78
        assert '"." is a directory' in result.stderr

    def test_one_that_this_user_may_not_write_is_a_warning(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("os.access", lambda _, mode: not mode & os.W_OK)  # root may write everything
        result = self.said("access.log")
        assert result.exit_code == 0
        assert f'warning: access_log.path: user {os.getuid()} may not write to "."' in result.stderr

    def test_good(self) -> None:
        for path in ("access.log", "/dev/null", '"-"'):
            assert self.said(path).stderr == ""
        assert not Path("access.log").exists()

    def test_it_is_said_together_with_bad_certificates(self) -> None:
        text = GOOD.replace("listen: {", "tls: {certificates: {cert: a.pem, key: a.key}}\nlisten: {https: ':443', ", 1)
        result = run(text + "access_log: {path: no/access.log}\n")
        assert result.exit_code == 78
        assert "a.pem: No such file" in result.stderr
        assert 'the directory "no" does not exist' in result.stderr


def test_schema_is_printed() -> None:
    result = CliRunner().invoke(config, ["schema"])
    assert result.exit_code == 0
    assert set(json.loads(result.stdout)["properties"]) >= {"listen", "tls", "apps"}


def test_the_example_passes_apart_from_missing_files(folder: Path) -> None:
    # spec: R1
    example = CliRunner().invoke(config, ["example"])
    assert example.exit_code == 0
    result = run(example.stdout)
    assert result.exit_code == 78
    heads = [line for line in result.stderr.splitlines() if not line.startswith(" ")]
    assert "certs/shop.pem: No such file" in heads[0]
    assert heads[1:] == ["lb.yaml: 1 error"]
