"""The local authority in the lists that programs look into, and out of them again."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner

from lb.cli import trust as trust_module
from lb.cli.trust import trust, untrust
from lb.cli.trust_stores import NssStore, RootCertificate, StoreError, SystemStore, find_stores, unreached
from lb.tls.files.local_ca import LocalCa
from tests.benchmarks.tools import need


@pytest.fixture
def root(tmp_path: Path) -> RootCertificate:
    return RootCertificate(LocalCa(tmp_path / "store").ensure_root())


def debian(directory: Path) -> SystemStore:
    """Debian's own command, on directories of the test's."""
    need("update-ca-certificates")
    places = {name: directory / name for name in ("local", "certs", "hooks", "shared")}
    for place in places.values():
        place.mkdir(parents=True)
    configuration = directory / "ca-certificates.conf"
    configuration.touch()
    (places["local"] / "other.crt").write_bytes(trustme.CA().cert_pem.bytes())  # an empty list is not written
    command = (
        "update-ca-certificates",
        *("--localcertsdir", str(places["local"])),
        *("--etccertsdir", str(places["certs"])),
        *("--hooksdir", str(places["hooks"])),
        *("--certsdir", str(places["shared"])),
        *("--certsconf", str(configuration)),
    )
    return SystemStore(places["local"], "crt", command, (*command, "--fresh"))


def test_the_systems_list(root: RootCertificate, tmp_path: Path) -> None:
    store = debian(tmp_path / "system")
    bundle = tmp_path / "system" / "certs" / "ca-certificates.crt"
    assert store.trust(root)
    assert not store.trust(root)
    assert root.path.read_text().strip() in bundle.read_text()
    assert store.untrust(root)
    assert not store.untrust(root)
    assert root.path.read_text().strip() not in bundle.read_text()


def test_the_browsers_databases(root: RootCertificate, tmp_path: Path) -> None:
    need("certutil")
    directory = tmp_path / ".mozilla" / "firefox" / "abc.default"
    directory.mkdir(parents=True)
    subprocess.run(["certutil", "-N", "--empty-password", "-d", f"sql:{directory}"], check=True)
    (store,) = find_stores(tmp_path, ())
    assert store == NssStore(directory)
    assert store.trust(root)
    assert not store.trust(root)
    listed = subprocess.run(["certutil", "-L", "-d", f"sql:{directory}"], capture_output=True, text=True, check=True)
    assert "lb local authority" in listed.stdout
    assert "C,," in listed.stdout
    assert store.untrust(root)
    assert not store.untrust(root)


@pytest.mark.parametrize(
    "place",
    [
        ".pki/nssdb",
        ".local/share/pki/nssdb",  # Chromium's since 2025, unless the former is there
        ".config/mozilla/firefox/abc.default",
        "snap/chromium/current/.local/share/pki/nssdb",
        ".var/app/org.chromium.Chromium/data/pki/nssdb",
        ".var/app/org.mozilla.firefox/.mozilla/firefox/abc.default",
    ],
)
def test_every_place_of_a_browser_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / "cert9.db").touch()
    assert list(find_stores(tmp_path, ())) == [NssStore(tmp_path / place)]


def test_a_data_directory_elsewhere_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "data/pki/nssdb").mkdir(parents=True)
    (tmp_path / "data/pki/nssdb/cert9.db").touch()
    assert list(find_stores(tmp_path / "home", ())) == [NssStore(tmp_path / "data/pki/nssdb")]


def test_what_is_not_reached_is_said(tmp_path: Path) -> None:
    for name in ("chromium", "firefox"):
        (tmp_path / name).touch(mode=0o755)
    system = SystemStore(tmp_path, "crt", ("true",), ("true",))
    environ = {"PATH": str(tmp_path), "SUDO_USER": "alice"}
    assert list(unreached([system, NssStore(tmp_path / ".mozilla/firefox/a")], environ)) == [
        "Chromium (chromium): it has no list yet; start it once, then run this command again",
        "the browsers of alice: run this command again as alice, without sudo",
    ]
    assert list(unreached([system], {"PATH": "/nowhere"})) == []
    assert [one.partition(":")[0] for one in unreached([], {"PATH": str(tmp_path)})] == [
        "the system",
        "Chromium (chromium)",
        "Firefox (firefox)",
    ]


def test_what_has_no_database_is_no_browser(tmp_path: Path) -> None:
    (tmp_path / ".mozilla" / "firefox" / "Crash Reports").mkdir(parents=True)
    assert list(find_stores(tmp_path, ())) == []


def test_a_missing_certutil_is_said(root: RootCertificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StoreError, match="libnss3-tools"):
        NssStore(tmp_path).trust(root)


def test_a_command_that_fails_is_said_in_its_words(root: RootCertificate, tmp_path: Path) -> None:
    command = ("sh", "-c", "echo first; echo it is broken >&2; exit 3")
    with pytest.raises(StoreError, match="sh ended with status 3: it is broken"):
        SystemStore(tmp_path, "crt", command, command).trust(root)


def test_a_directory_of_somebody_elses_is_said(
    root: RootCertificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied", str(target))

    monkeypatch.setattr(shutil, "copyfile", refuse)
    with pytest.raises(StoreError, match="sudo"):
        SystemStore(tmp_path, "crt", ("true",), ("true",)).trust(root)


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "anchors"
    directory.mkdir()
    system = SystemStore(directory, "crt", ("true",), ("true",))
    broken = SystemStore(tmp_path / "none", "crt", ("true",), ("true",))
    monkeypatch.setattr(trust_module, "find_stores", lambda _: [broken, system])
    store = ["--store", str(tmp_path / "store")]
    missing = CliRunner().invoke(untrust, store)
    assert missing.exit_code == 1
    assert "there is no local authority" in missing.stderr
    first = CliRunner().invoke(trust, store)
    assert first.exit_code == 1  # one of the two could not be changed
    assert "No such file" in first.stderr
    assert f"now trusted by the system ({directory})" in first.stdout
    assert len(list(directory.iterdir())) == 1
    monkeypatch.setattr(trust_module, "find_stores", lambda _: [system])
    assert f"already trusted by the system ({directory})" in CliRunner().invoke(trust, store).stdout
    last = CliRunner().invoke(untrust, store)
    assert last.exit_code == 0
    assert last.stdout == f"no longer trusted by the system ({directory})\n"
    assert list(directory.iterdir()) == []
    assert (tmp_path / "store" / "local" / "root.pem").is_file()
