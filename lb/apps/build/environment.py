"""The environment of a build's commands: nothing of the engine's own but what installers need to reach an index."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

# How this machine reaches package indexes; names of the shell, of pip, uv, git and OpenSSL.
_PASSED = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "GIT_SSH_COMMAND"),
)
_PREFIXES = ("PIP_", "UV_")
_OWN = {
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_USER",
    "PIP_ROOT",
    "PIP_REQUIRE_VIRTUALENV",
    "UV_PYTHON",
    "UV_PROJECT_ENVIRONMENT",
}
_PIP_CONFIGS = (".config/pip/pip.conf", ".pip/pip.conf")


def build_environment(
    engine: Mapping[str, str], venv: Path, scratch: Path, cache: Path, exposed: Mapping[str, str]
) -> dict[str, str]:
    """The variables of every command of one build; `exposed` are the app's own, if the project exposes them (B8)."""
    passed = {
        name: value
        for name, value in engine.items()
        if name in _PASSED or (name.startswith(_PREFIXES) and name not in _OWN)
    }
    home = Path(engine.get("HOME", "/"))
    if "PIP_CONFIG_FILE" not in passed and (found := [home / name for name in _PIP_CONFIGS if (home / name).is_file()]):
        passed["PIP_CONFIG_FILE"] = str(found[0])
    return {
        "PIP_CACHE_DIR": str(cache / "pip"),
        "UV_CACHE_DIR": str(cache / "uv"),
        **passed,
        **exposed,
        "PATH": f"{venv / 'bin'}:{engine.get('PATH') or os.defpath}",
        "VIRTUAL_ENV": str(venv),
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch / "tmp"),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_PROGRESS_BAR": "off",
        "PIP_NO_WARN_SCRIPT_LOCATION": "1",
        "UV_LINK_MODE": "copy",  # a hard link would let one release change all others
        "UV_COMPILE_BYTECODE": "1",
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_PROJECT_ENVIRONMENT": str(venv),
        "CI": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }
