"""Builds the compiled data path; without a C compiler (or Cython) the same code runs uncompiled.

What is compiled is listed here and nowhere else: twins (`.pyx` beside a `.py` of the same name) and plain `.py` typed
by a `.pxd`. `LB_REQUIRE_COMPILED=1` turns a failed build from a fallback into an error.
"""

import os
import shlex
import shutil
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup

SOURCES = (
    "lb/http/head.py",
    "lb/http/scan.pyx",
    "lb/http/body.pyx",
    "lb/http/forwarding.py",
    "lb/http/transform.py",
    "lb/routing/instance.py",
    "lb/routing/passive.py",
    "lb/routing/budget.py",
    "lb/routing/balancers/balancer.py",
    "lb/routing/balancers/round_robin.py",
    "lb/routing/balancers/least_connections.py",
    "lb/routing/balancers/power_of_two.py",
    "lb/routing/balancers/consistent_hash.py",
    "lb/routing/balancers/sticky.py",
    "lb/routing/environment.py",
    "lb/routing/route.py",
    "lb/routing/table.py",
    "lb/routing/snapshot.py",
    "lb/routing/pace.py",
    "lb/routing/presence.py",
    "lb/telemetry/record.py",
    "lb/telemetry/lines.pyx",
    "lb/proxy/poller.pyx",
    "lb/proxy/unread.pyx",
    "lb/proxy/direct_tls.pyx",
    "lb/proxy/wire.pyx",
    "lb/proxy/listener.pyx",
    "lb/proxy/deadlines.py",
    "lb/proxy/engine.py",
    "lb/proxy/conversation.py",
    "lb/proxy/client.py",
    "lb/proxy/admission.py",
    "lb/proxy/pool.py",
    "lb/proxy/upstream.py",
    "lb/proxy/submission.py",
    "lb/proxy/answer.py",
    "lb/proxy/exchange.py",
    "lb/proxy/tunnel.py",
)

CORES = os.cpu_count() or 1
required = os.environ.get("LB_REQUIRE_COMPILED") == "1"


def has_compiler() -> bool:
    command = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    return shutil.which(command[0]) is not None


def extensions() -> list[Extension]:
    if sys.platform != "linux" or os.environ.get("LB_BUILD_PURE") == "1":
        return []  # the compiled transport is made of epoll and accept4
    if not required and not has_compiler():
        return []  # making its C takes a minute, for nothing
    try:
        from Cython.Build import cythonize  # noqa: PLC0415 - where it is not, nothing is compiled
    except ImportError:
        if required:
            raise
        return []
    modules = [
        Extension(
            source.rsplit(".", 1)[0].replace("/", "."),
            [source],
            depends=[str(header) for header in Path("lb").rglob("*.h")],
            extra_compile_args=["-O2", "-g0", "-fno-plt", "-Wno-unused-function", "-Wno-unreachable-code"],
            libraries=["dl"],
            optional=not required,
        )
        for source in SOURCES
    ]
    built = cythonize(
        modules,
        language_level=3,
        compiler_directives={"binding": False, "embedsignature": False, "annotation_typing": False},
        nthreads=CORES,
        quiet=True,
    )
    for module in built:
        module.optional = not required  # cythonize makes new objects, and forgets it
    return built


if __name__ == "__main__":  # from 3.14 on, processes that translate import this file
    setup(ext_modules=extensions(), options={"build_ext": {"parallel": CORES}})
