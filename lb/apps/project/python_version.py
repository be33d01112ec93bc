"""`.python-version` and `runtime.txt` → which Python a project asks for (B10).

Only what names a CPython release is accepted; every other spelling is an error that says the right one. Whether such a
Python is installed is none of this file's business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lb.apps.project.errors import ProjectError
from lb.config.problems import quoted

VERSION_FILE = ".python-version"
RUNTIME_FILE = "runtime.txt"
_VERSION = re.compile(r"(0|[1-9][0-9]?)(?:\.(0|[1-9][0-9]{0,2}))?(?:\.(0|[1-9][0-9]{0,2}))?", re.ASCII)
_FIRST = re.compile(r"[23](?:\.[0-9]{1,3}){0,2}(?![0-9])", re.ASCII)
_PRE_RELEASE = re.compile(r"[0-9](?:-?dev|\.?(?:a|b|c|rc|alpha|beta)[0-9]*)$", re.IGNORECASE | re.ASCII)
_JOINED = re.compile(r"([23])([0-9]{1,2})", re.ASCII)
_NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+)*", re.ASCII)
_OTHERS = {
    "pypy": "PyPy",
    "jython": "Jython",
    "ironpython": "IronPython",
    "graalpy": "GraalPy",
    "stackless": "Stackless Python",
    "micropython": "MicroPython",
    "cinder": "Cinder",
    "pyston": "Pyston",
    "activepython": "ActivePython",
    "anaconda": "Anaconda",
    "miniconda": "Miniconda",
    "miniforge": "Miniforge",
    "mambaforge": "Mambaforge",
}
_COMMENT = re.compile(r"(?:^|\s)#.*")


@dataclass(frozen=True, slots=True)
class PythonRequest:
    """The Python that is asked for: `major` None is the newest stable one. `origin` says where it is written."""

    major: int | None = None
    minor: int | None = None
    patch: int | None = None
    origin: str = ""

    def __str__(self) -> str:
        return ".".join(str(part) for part in (self.major, self.minor, self.patch) if part is not None)

    def admits(self, version: tuple[int, int, int]) -> bool:
        """Whether a Python of this version is one that was asked for."""
        wanted = (self.major, self.minor, self.patch)
        return all(part is None or part == found for part, found in zip(wanted, version, strict=True))


def parse_version_file(text: str) -> tuple[PythonRequest, tuple[str, ...]]:
    """The request in a `.python-version`, and notes about what is ignored. Raises ProjectError."""
    words = [word for line in text.splitlines() for word in _COMMENT.sub("", line.replace("\0", "")).split()]
    if not words:
        raise ProjectError(
            "the file names no version", "write one, such as 3.13, or remove the file", file=VERSION_FILE
        )
    request = _parse(words[0], VERSION_FILE)
    if len(words) > 1:
        return request, (f"{VERSION_FILE} names several versions: the first one, {words[0]}, is used",)
    return request, ()


def parse_runtime(text: str) -> PythonRequest:
    """The request in a `runtime.txt`, whose one line is `python-3.5` or `python-3.5.1`. Raises ProjectError."""
    line = text.strip()
    if not line:
        raise ProjectError("the file is empty", "write python-3.13, or remove the file", file=RUNTIME_FILE)
    if not line.startswith("python-"):
        version = _FIRST.search(line)
        word = f"python-{version[0]}" if version else "python-3.13"
        raise ProjectError(f"{quoted(line)} is not a version of Python", f"write {word}", file=RUNTIME_FILE)
    return _parse(line.removeprefix("python-"), RUNTIME_FILE, "python-")


def parse_default(text: str) -> PythonRequest:
    """The app's own default, such as "2.7". Raises ProjectError."""
    return _parse(text, "") if text else PythonRequest()


def _parse(word: str, file: str, prefix: str = "") -> PythonRequest:
    found = _VERSION.fullmatch(word)
    if found is None or found[1] not in {"2", "3"} or (found[1] == "2" and found[2] not in {None, "7"}):
        sentence, version = _refuse(word)
        next_step = f"write {prefix}{version}" if version else f"write a version of Python, such as {prefix}3.13"
        raise ProjectError(sentence, next_step, file=file)
    major, minor, patch = (None if part is None else int(part) for part in found.groups())
    return PythonRequest(major, minor, patch, file or "the app's default")


def _refuse(word: str) -> tuple[str, str]:
    """Why a word names no version that can be used, and the version that is probably meant."""
    lower = word.lower()
    for start, name in _OTHERS.items():
        if lower.startswith(start):
            version = _FIRST.search(lower[len(start) :]) if start == "pypy" else None
            return f"{quoted(word)} is {name}; only CPython is supported", version[0] if version else ""
    if _PRE_RELEASE.search(lower) is not None:
        version = _FIRST.search(lower)
        number = ".".join(version[0].split(".")[:2]) if version else ""
        return f"{quoted(word)} is not a stable release", number
    if lower.endswith("t") and _VERSION.fullmatch(lower[:-1]):
        return f"{quoted(word)} is a free-threaded build, which is not supported", lower[:-1]
    if lower in {"system", "latest", "default", "stable", "python", "python3", "current"}:
        return f"{quoted(word)} is not a version", ""
    if (joined := _JOINED.fullmatch(lower)) is not None:
        return f"{quoted(word)} is not a version of Python", f"{joined[1]}.{joined[2]}"
    if _NUMBERS.fullmatch(lower) and not lower.startswith(("2.", "3.", "0")):
        return f"there is no Python {word}", ""
    if lower.startswith("2."):
        return f"Python {word} is not supported; of Python 2 only 2.7 is", "2.7"
    version = _FIRST.search(lower.replace(",", "."))
    return f"{quoted(word)} is not a version of Python", version[0] if version else ""
