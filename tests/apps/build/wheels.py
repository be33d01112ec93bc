"""Wheels made on the spot, so that builds of tests need no network."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

_WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py2-none-any\nTag: py3-none-any\n"


def make_wheel(folder: Path, name: str, version: str, *, requires: tuple[str, ...] = (), script: bool = False) -> Path:
    """A package of one module that knows its version; with `script` a command of the same name prints it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py2.py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    metadata = [
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}",
        *(f"Requires-Dist: {what}" for what in requires),
    ]
    files = {
        f"{name}.py": f"__version__ = {version!r}\ndef main():\n    print(__version__)\n",
        f"{info}/METADATA": "\n".join(metadata) + "\n",
        f"{info}/WHEEL": _WHEEL,
    }
    if script:
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{name} = {name}:main\n"
    files[f"{info}/RECORD"] = "".join(f"{each},,\n" for each in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as wheel:
        for each, content in files.items():
            wheel.writestr(each, content)
    return path


def hash_of(wheel: Path) -> str:
    return "sha256:" + hashlib.sha256(wheel.read_bytes()).hexdigest()
