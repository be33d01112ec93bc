"""The C programs of `native/`, compiled when they are needed: the responder behind the proxies and the load generator.

C, because both share one core and must stay far cheaper than what they measure.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_SOURCES = Path(__file__).parent / "native"


class BuildError(Exception):
    """There is no C compiler, or it refused."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the compiled programs are; `tls` says whether the load generator speaks TLS (OpenSSL's headers were
    there).
    """

    responder: Path
    load: Path
    tls: bool


def _compiler() -> str:
    found = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if found is None:
        raise BuildError("benchmarks need a C compiler (cc): the responder and the load generator are small C programs")
    return found


def _compile(compiler: str, sources: tuple[str, ...], output: Path, *more: str) -> bool:
    command = [compiler, "-O2", "-o", str(output), *(str(_SOURCES / name) for name in sources), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    output.with_suffix(".errors").write_text(done.stderr)
    return done.returncode == 0


def build_counting(directory: Path) -> Path:
    """Compile the library that counted.py loads into `directory`. Raises BuildError; it needs valgrind's headers."""
    library = directory / "counting.so"
    if not _compile(_compiler(), ("counting.c",), library, "-shared", "-fPIC"):
        raise BuildError(f"cc refused counting.c:\n{library.with_suffix('.errors').read_text()}")
    return library


def build(directory: Path) -> Programs:
    """Compile into `directory`. Raises BuildError."""
    compiler = _compiler()
    responder, load = directory / "responder", directory / "load"
    sources = ("load.c", "exchange.c", "channel.c")
    if not _compile(compiler, ("responder.c",), responder):
        raise BuildError(f"cc refused the responder:\n{responder.with_suffix('.errors').read_text()}")
    tls = _compile(compiler, sources, load, "-DWITH_TLS", "-lssl", "-lcrypto")
    if not tls and not _compile(compiler, sources, load):
        raise BuildError(f"cc refused the load generator:\n{load.with_suffix('.errors').read_text()}")
    return Programs(responder=responder, load=load, tls=tls)
