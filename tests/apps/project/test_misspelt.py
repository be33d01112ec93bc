"""Names that are nearly right, and those that are not."""

from __future__ import annotations

import pytest

from lb.apps.project.misspelt import find_misspelt


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        *((name, ".python-version") for name in (".python_version", "python-version", ".pythonversion")),
        *((name, ".python-version") for name in (".Python-Version", ".python-version.txt", ".pyhton-version")),
        *((name, "requirements.txt") for name in ("requirement.txt", "Requirements.txt", "requirments.txt")),
        *((name, "requirements.txt") for name in ("requirements", "requirements.text", "requirements.txt.txt")),
        *((name, "requirements.txt") for name in ("requiremetns.txt", "requirementss.txt")),
        *((name, "leanengine.yaml") for name in ("leanengine.yml", "leanengin.yaml", "LeanEngine.yaml")),
        *((name, "wsgi.py") for name in ("wsgy.py", "WSGI.py", "wgsi.py", "wsgi.py.txt")),
        *((name, "Procfile") for name in ("procfile", "Procfile.txt")),
    ],
)  # fmt: skip
def test_misspelt(name: str, wanted: str) -> None:
    assert find_misspelt(["app.py", name, "README.md"], wanted) == name
    assert find_misspelt([name, wanted], wanted) is None


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("requirements-dev.txt", "requirements.txt"),
        ("requirements.in", "requirements.txt"),
        ("asgi.py", "wsgi.py"),
        ("profile", "Procfile"),
        ("version", ".python-version"),
        ("app.py", "asgi.py"),
    ],
)
def test_other_files(name: str, wanted: str) -> None:
    assert find_misspelt([name], wanted) is None
