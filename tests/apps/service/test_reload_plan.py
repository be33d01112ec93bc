"""What a changed configuration does to deployed apps, in sentences."""

from __future__ import annotations

import pytest

from lb.apps.service.reload_plan import planned_changes
from lb.config.load import load_bytes
from lb.config.model import Config

DEPLOYED = "{deploy: true}"


def config(production: str, staging: str = DEPLOYED) -> Config:
    app = f"{{domains: [a.example, stg-a.example], production: {production}, staging: {staging}}}"
    text = f"listen: {{http: '127.0.0.1:0'}}\napps: {{shop: {app}}}"
    return load_bytes("lb.yaml", text.encode(), {}).config


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (DEPLOYED, DEPLOYED, []),
        (DEPLOYED, "{deploy: true, drain: 60s}", []),
        (
            DEPLOYED,
            "{deploy: true, count: 2, memory: 512M}",
            ["app shop production restarts its instances one by one, for changed count and memory"],
        ),
        (
            DEPLOYED,
            "{instances: 127.0.0.1:1}",
            ["app shop production is no longer deployed: its instances drain and end; releases and data stay"],
        ),
        (
            "{instances: 127.0.0.1:1}",
            DEPLOYED,
            ["app shop production is deployed from now on: lb deploy shop starts it"],
        ),
    ],
)
def test_each_change_is_said(before: str, after: str, said: list[str]) -> None:
    assert list(planned_changes(config(before), config(after), lambda *_: True)) == said


def test_what_does_not_run_need_not_start_anew() -> None:
    assert list(planned_changes(config(DEPLOYED), config("{deploy: true, count: 2}"), lambda *_: False)) == []
