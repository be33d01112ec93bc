"""What the settings of connections to instances mean together, and whether their files can be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.config.test_route_rules import problems

HTTPS = "https://10.0.0.5:8443"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """A CA, a certificate with its key, and the key of another."""
    authority = trustme.CA()
    leaf, other = authority.issue_cert("lb.internal"), authority.issue_cert("other.internal")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    leaf.private_key_pem.write_to_path(tmp_path / "key.pem")
    other.private_key_pem.write_to_path(tmp_path / "other.pem")
    (tmp_path / "text.pem").write_text("not PEM")
    return {path.stem: str(path) for path in tmp_path.iterdir()}


def said(*instances: str, **settings: Any) -> list[str]:
    return [str(problem) for problem in problems({"production": {"instances": list(instances), **settings}})]


def test_files_that_can_be_used(files: dict[str, str]) -> None:
    tls = {"ca": files["ca"], "cert": files["cert"], "key": files["key"], "server_name": "app.internal"}
    assert said(HTTPS, instance_tls=tls) == []


@pytest.mark.parametrize(
    ("tls", "says"),
    [
        ({"ca": "missing"}, "cannot be read"),
        ({"ca": "text"}, "no certificate in PEM form"),
        ({"cert": "cert", "key": "other"}, "cannot be used together"),
        ({"cert": "cert"}, "cannot be used together"),
        ({"key": "key"}, "there is no cert beside it"),
    ],
)
def test_files_that_cannot(files: dict[str, str], tls: dict[str, str], says: str) -> None:
    found = said(HTTPS, instance_tls={key: files.get(name, f"/{name}") for key, name in tls.items()})
    assert [says in text for text in found] == [True]


@pytest.mark.parametrize(
    ("instance", "settings", "says"),
    [
        ("10.0.0.5:80", {"instance_tls": {"verify": True}}, "instance_tls is not used"),
        (HTTPS, {"instance_tls": {"verify": False}}, "certificates of instances are not verified"),
        ("10.0.0.5:80", {"send_proxy": "v1", "keep_alive": True}, "keep_alive has no effect with send_proxy"),
    ],
)
def test_what_is_surprising(instance: str, settings: dict[str, Any], says: str) -> None:
    assert [says in text for text in said(instance, **settings)] == [True]


def test_an_authority_is_of_no_use_without_verification(files: dict[str, str]) -> None:
    assert "ca is not used" in said(HTTPS, instance_tls={"verify": False, "ca": files["ca"]})[0]


def test_deployed_apps_get_no_header() -> None:
    found = [str(problem) for problem in problems({"production": {"deploy": True, "send_proxy": "v2"}})]
    assert any("send_proxy is not possible with deploy" in text for text in found)
