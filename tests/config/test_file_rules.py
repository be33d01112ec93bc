"""What depends on the files themselves, and apps that need no instances."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lb.config.load import load_bytes
from lb.config.model import App
from lb.config.problems import ConfigErrors


def loaded(app: dict[str, Any], **top: Any) -> App:
    """The app of a configuration. Raises ConfigErrors."""
    config = {"listen": {"http": ":80"}, "apps": {"site": {"domains": ["site.example.com"], **app}}, **top}
    return load_bytes("lb.yaml", json.dumps(config).encode(), {}).plan.config.apps["site"]


def messages(app: dict[str, Any], **top: Any) -> list[str]:
    with pytest.raises(ConfigErrors) as raised:
        loaded(app, **top)
    return [problem.message for problem in raised.value.problems]


def test_an_app_of_files_needs_no_instances(tmp_path: Path) -> None:
    for route in ({"path": "/"}, {"path": "/{rest}"}, {}):
        app = loaded({"routes": [{**route, "files": str(tmp_path)}]})
        assert app.production is not None
        assert app.production.instances == ()
        assert app.staging is None
    both = ["site.example.com", "stg-site.example.com"]
    app = loaded({"domains": both, "routes": [{"files": str(tmp_path)}]})
    assert app.staging is not None


@pytest.mark.parametrize("route", [{"path": "/a/"}, {"path": "/a"}, {"path": "/", "method": "GET"}])
def test_one_that_serves_only_some_paths_does(tmp_path: Path, route: dict[str, Any]) -> None:
    assert messages({"routes": [{**route, "files": str(tmp_path)}]}) == [
        'the app "site" has neither production nor staging'
    ]


def test_no_route_leads_to_instances_that_are_not_there(tmp_path: Path) -> None:
    routes = [{"path": "/a/", "allow": "192.0.2.0/24"}, {"path": "/b/", "deny": True}, {"files": str(tmp_path)}]
    assert messages({"routes": routes}) == ["the route leads to an instance of the app, which has none"]


def test_private_keys_are_not_served(tmp_path: Path) -> None:
    # spec: P2
    public = tmp_path / "public"
    (public / ".hidden").mkdir(parents=True)
    app = {"routes": [{"files": str(public)}]}
    for key, served in ((public / "key.pem", True), (public / ".hidden" / "key.pem", False), (tmp_path / "key", False)):
        tls = {"certificates": [{"cert": str(tmp_path / "cert.pem"), "key": str(key)}]}
        if served:
            assert messages(app, tls=tls) == [
                "the directory has a private key of tls.certificates in it, which anybody could fetch then"
            ]
        else:
            loaded(app, tls=tls)
