"""The smallest app that lb serves: WSGI, without a framework. To try a change: lb deploy hello demo/hello --prod."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    instance = os.environ.get("LEANCLOUD_APP_INSTANCE", "-")
    release = os.environ.get("LEANCLOUD_VERSION_TAG", "-")
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [f"Hello from {instance}, release {release}: {environ['PATH_INFO']}\n".encode()]
