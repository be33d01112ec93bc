"""Builds the compiled data path; without a C compiler (or Cython) the same code runs uncompiled.

What is compiled is listed here and nowhere else: twins (`.pyx` beside a `.py` of the same name) and plain `.py` typed
by a `.pxd`. `LB_REQUIRE_COMPILED=1` turns a failed build from a fallback into an error; `LB_BUILD_PURE=1` compiles
nothing. A source distribution includes the C files, so that installing it needs no Cython.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

TOP = Path(__file__).parent
PACKAGE = TOP / "lb"
CYTHON = "Cython>=3.3.1,<4"
SOURCES = (
    "lb/http/head.py",
    "lb/http/scan.pyx",
    "lb/http/body.pyx",
    "lb/http/forwarding.py",
    "lb/http/hpack.pyx",
    "lb/http/hpack_encoder.pyx",
    "lb/http/frames.pyx",
    "lb/http/frame_writer.pyx",
    "lb/http/frame_budgets.py",
    "lb/http/transform.py",
    "lb/routing/instance.py",
    "lb/routing/outlier.py",
    "lb/routing/budget.py",
    "lb/routing/balancers/balancer.py",
    "lb/routing/balancers/round_robin.py",
    "lb/routing/balancers/least_connections.py",
    "lb/routing/balancers/power_of_two.py",
    "lb/routing/balancers/consistent_hash.py",
    "lb/routing/balancers/sticky.py",
    "lb/routing/environment.py",
    "lb/routing/route.py",
    "lb/routing/path_tree.py",
    "lb/routing/choices.py",
    "lb/routing/table.py",
    "lb/routing/snapshot.py",
    "lb/routing/rate_limit.py",
    "lb/routing/connection_count.py",
    "lb/telemetry/record.py",
    "lb/telemetry/lines.pyx",
    "lb/proxy/io/poller.pyx",
    "lb/proxy/io/read_buffer.pyx",
    "lb/proxy/handler.py",
    "lb/proxy/downstream.py",
    "lb/proxy/io/direct_tls.pyx",
    "lb/proxy/io/wire.pyx",
    "lb/proxy/io/file_sender.pyx",
    "lb/proxy/io/listener.pyx",
    "lb/proxy/io/deadlines.py",
    "lb/proxy/request_ids.py",
    "lb/proxy/files/open_file.py",
    "lb/proxy/files/found_file.py",
    "lb/proxy/files/file_cache.py",
    "lb/proxy/engine.py",
    "lb/proxy/client_info.py",
    "lb/proxy/http1/message_writer.py",
    "lb/proxy/http1/response_writer.py",
    "lb/proxy/http1/handshake.py",
    "lb/proxy/http2/flow.py",
    "lb/proxy/http2/scheduler.py",
    "lb/proxy/http2/upload_memory.py",
    "lb/proxy/http2/sender.py",
    "lb/proxy/http2/stream.py",
    "lb/proxy/http2/control_frames.py",
    "lb/proxy/http2/session.py",
    "lb/proxy/http1/connection.py",
    "lb/proxy/http1/accept.py",
    "lb/proxy/exchange/admission.py",
    "lb/proxy/upstream/pool.py",
    "lb/proxy/upstream/connection.py",
    "lb/proxy/buffering/request_buffers.py",
    "lb/proxy/buffering/body_buffer.py",
    "lb/proxy/exchange/request_body.py",
    "lb/proxy/exchange/response_body.py",
    "lb/proxy/exchange/base.py",
    "lb/proxy/exchange/attempt.py",
    "lb/proxy/exchange/collecting.py",
    "lb/proxy/exchange/response.py",
    "lb/proxy/exchange/file_body.py",
    "lb/proxy/exchange/file_reply.py",
    "lb/proxy/exchange/exchange.py",
    "lb/proxy/exchange/tunnel.py",
)
CORES = os.cpu_count() or 1
REQUIRED = os.environ.get("LB_REQUIRE_COMPILED") == "1"
IS_SDIST = (TOP / "PKG-INFO").exists()  # a source distribution, not a checkout: its C files match its sources
BUILDS = {"build_ext", "bdist_wheel", "editable_wheel", "install", "develop"}


def why_not() -> str:
    """Why nothing can be compiled here, or an empty string."""
    if sys.platform != "linux":
        return "the compiled transport needs Linux"
    if os.environ.get("LB_BUILD_PURE") == "1":
        return "LB_BUILD_PURE is set"
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    if shutil.which(compiler[0]) is None:
        return f"there is no C compiler ({compiler[0]})"
    with tempfile.TemporaryDirectory() as directory:
        trial = Path(directory, "trial.c")
        trial.write_text("#include <Python.h>\nint main(void) { return 0; }\n")
        command = [*compiler, "-c", f"-I{sysconfig.get_path('include')}", str(trial), "-o", f"{directory}/trial.o"]
        if subprocess.run(command, capture_output=True, check=False).returncode:  # noqa: S603
            return f"{compiler[0]} cannot compile a file that includes Python.h (are Python's headers installed?)"
    return ""


def extensions(reason: str) -> list[Extension]:
    """The modules to compile: none if there is a `reason` against it, or no Cython."""
    if not reason and not IS_SDIST and find_spec("Cython") is None:
        reason = "Cython is not installed"
    if reason:
        if BUILDS & set(sys.argv):
            if REQUIRED:
                raise SystemExit(f"lb cannot be compiled: {reason}")
            print(f"building lb without its compiled engine: {reason}", file=sys.stderr)  # noqa: T201
        return []
    return [
        Extension(
            source.rsplit(".", 1)[0].replace("/", "."),
            [str(Path(source).with_suffix(".c")) if IS_SDIST else source],
            depends=[] if IS_SDIST else [str(header) for header in Path("lb").rglob("*.h")],
            include_dirs=sorted({str(header.parent) for header in Path("lb").rglob("*.h")}),
            extra_compile_args=["-O2", "-g0", "-fno-plt", "-Wno-unused-function", "-Wno-unreachable-code"],
            libraries=["dl"],
            optional=not REQUIRED,
        )
        for source in SOURCES
    ]


def translate(modules: list[Extension]) -> list[Extension]:
    """The same modules with C sources, which Cython regenerates if they are outdated."""
    from Cython.Build import cythonize  # noqa: PLC0415 - only if C must be generated

    built = cythonize(
        modules,
        language_level=3,
        compiler_directives={"binding": False, "embedsignature": False, "annotation_typing": False},
        nthreads=CORES,
        quiet=True,
    )
    for module in built:
        module.optional = not REQUIRED  # cythonize makes new objects, and drops it
    return built


def engine_files():  # noqa: ANN201 - a module; it is loaded by its path, since importing lb would choose an engine
    spec = spec_from_file_location("lb_engine", PACKAGE / "_engine.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class BuildExtensions(build_ext):
    """Generates C only when something is built, and records the sources of the modules in the tree."""

    def finalize_options(self) -> None:
        if self.distribution.ext_modules and not IS_SDIST:
            self.distribution.ext_modules = translate(self.distribution.ext_modules)
        super().finalize_options()

    def run(self) -> None:
        self.done = []
        files = engine_files()
        before = {path: files.fingerprint(path) for path in files.compiled_sources(PACKAGE)}
        super().run()
        if (self.inplace or self.editable_mode) and self.done:
            failed = {module.name for module in self.extensions} - set(self.done)
            built = {
                path.relative_to(PACKAGE).as_posix(): content
                for path, content in before.items()
                if ".".join(path.relative_to(TOP).with_suffix("").parts) not in failed
            }
            (PACKAGE / files.BUILT).write_text(json.dumps(built, indent=0, sort_keys=True))

    def build_extension(self, ext: Extension) -> None:
        super().build_extension(ext)
        self.done.append(ext.name)


class SourceDistribution(sdist):
    """Includes the C files, so that installing needs no Cython."""

    def run(self) -> None:
        modules = translate([Extension(source.rsplit(".", 1)[0].replace("/", "."), [source]) for source in SOURCES])
        assert len(modules) == len(SOURCES)  # noqa: S101
        super().run()


if __name__ == "__main__":  # from 3.14 on, Cython's processes import this file
    against = why_not()
    asked_for_requirements = sys.argv[1:2] == ["egg_info"]  # by an installer, before it makes the build's environment
    setup(
        ext_modules=extensions(against),
        setup_requires=[CYTHON] if asked_for_requirements and not against and not IS_SDIST else [],
        options={"build_ext": {"parallel": CORES}},
        cmdclass={"build_ext": BuildExtensions, "sdist": SourceDistribution},
    )
