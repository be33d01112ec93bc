"""Wheels of packages that are installed here, for builds without a network: an index in a directory."""

from __future__ import annotations

import re
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


def make_index(folder: Path, *names: str) -> Path:
    """Wheels of these packages and of all that they need."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted, done = list(names), set[str]()
    while wanted:
        name = wanted.pop().lower().replace("_", "-")
        if name in done:
            continue
        done.add(name)
        found = distribution(name)
        _make_wheel(folder, found)
        needed = [one for one in found.requires or () if "extra ==" not in one and _applies(one)]
        wanted.extend(match[0] for one in needed if (match := _NAME.match(one)))
    return folder


def _applies(requirement: str) -> bool:
    """Whether a requirement holds here, as far as what is installed tells."""
    _, _, marker = requirement.partition(";")
    if not marker:
        return True
    name = _NAME.match(requirement)
    try:
        distribution(name[0] if name else "")
    except ModuleNotFoundError:
        return False
    return True


def _make_wheel(folder: Path, found: Distribution) -> None:
    tag = re.findall(r"^Tag: (.+)$", found.read_text("WHEEL") or "", re.MULTILINE)
    name = re.sub(r"[-.]+", "_", found.metadata["Name"])
    path = folder / f"{name}-{found.version}-{_joined(tag)}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for file in found.files or ():
            text = str(file)
            if text.startswith("..") or "__pycache__" in text or text.endswith((".pyc", "INSTALLER", "REQUESTED")):
                continue
            wheel.write(str(file.locate()), text)


def _joined(tags: list[str]) -> str:
    """`py2-none-any`, `py3-none-any` → `py2.py3-none-any`."""
    parts = [tag.split("-") for tag in tags]
    return "-".join(".".join(dict.fromkeys(part[at] for part in parts)) for at in range(3))
