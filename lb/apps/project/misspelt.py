"""Files whose names are nearly right: `requirement.txt`, `python-version`, `leanengine.yml`.

A file with a wrong name is not read, and nobody says so: the app starts with another Python, or without its packages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# The right name → names that are known to be written for it; small letters and no separators are compared as well.
_KNOWN = {
    ".python-version": (
        *(".python-version.txt", "python-version.txt", ".pyhton-version", ".pyton-version", ".python-versions"),
        *(".python-verison", ".phyton-version", ".python.version", ".py-version", ".pythonversion"),
        *(".python-vesion", ".python-versio", ".python-version.", ".python-version.py", ".pyenv-version"),
    ),
    "requirements.txt": (
        *("requirement.txt", "requirements", "requirements.text", "requirements.txt.txt", "requirements.in.txt"),
        *(
            "requirments.txt",
            "requirements.tx",
            "requirement",
            "requiremnts.txt",
            "reqirements.txt",
            "requeriments.txt",
        ),
    ),
    "leanengine.yaml": ("leanengine.yml", ".leanengine.yaml", "leanengine.yaml.txt", "leanengine.json", "lean.yaml"),
    "wsgi.py": ("wsgi.py.txt", "wsgi", "wsgi.pyc"),
    "asgi.py": ("asgi.py.txt", "asgi", "asgi.pyc"),
    "Procfile": ("Procfile.txt", "Procfil", "Procfile.yaml", "ProcFile.txt", "Procefile"),
    ".leanignore": (".leanignore.txt", "leanignore", ".lean-ignore", ".leanignor"),
}
# Without one of these nothing serves; a name for another one that is only similar may be meant as it is.
_NEEDED = ("requirements.txt", "leanengine.yaml", "wsgi.py", "asgi.py")


def find_misspelt(present: Iterable[str], wanted: str) -> str | None:
    """The file among those `present` that probably should be called `wanted`, if that one is not among them."""
    names = sorted(present)
    if wanted in names:
        return None
    known = {_bare(name) for name in (*_KNOWN[wanted], wanted)}
    near = [name for name in names if name in _KNOWN[wanted] or _bare(name) in known]
    if not near and wanted in _NEEDED:
        near = [name for name in names if name not in _KNOWN and _distance_is_one(_bare(name), _bare(wanted))]
    return near[0] if near else None


def _bare(name: str) -> str:
    return re.sub(r"[-_. ]", "", name).lower()


def _distance_is_one(one: str, other: str) -> bool:
    """Whether one letter more, less or other, or two that are swapped, make one of the other."""
    if abs(len(one) - len(other)) > 1:
        return False
    start = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    ends = ((1, 1), (1, 0), (0, 1))
    if any(one[start + left :] == other[start + right :] for left, right in ends):
        return True
    swapped = other[start : start + 2][::-1]
    return one[start : start + 2] == swapped and one[start + 2 :] == other[start + 2 :]
