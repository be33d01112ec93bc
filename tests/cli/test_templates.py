"""The projects that `lb init --template` writes: each is Python that compiles, and is recognised as what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from lb.apps.project.detect import read_project
from lb.apps.project.start import Serving
from lb.cli.templates import TEMPLATES


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_compiles_and_is_detected(tmp_path: Path, name: str) -> None:
    for path, text in TEMPLATES[name].items():
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        if file.suffix == ".py":
            compile(text, path, "exec")
    assert name in (tmp_path / "requirements.txt").read_text(encoding="utf-8").lower()
    serving = Serving.ASGI if name == "fastapi" else Serving.WSGI
    assert read_project(tmp_path).start.serving is serving
