"""The first lines of a shim: `python -I -S shim_start.py DIRECTORY`, with its order as JSON on standard input.

The packages around the shim's modules are put in place empty, so that nothing of the door is loaded with them: a shim
takes little more memory than Python itself. All that it will ever need is loaded here, so that an upgrade of lb under
its feet changes nothing.
"""

from __future__ import annotations

import sys

_HERE = __file__.rpartition("/")[0]


def _empty_packages() -> None:
    directory = _HERE
    for name in ("lb.apps.run", "lb.apps", "lb"):
        package = type(sys)(name)
        package.__path__ = [directory]
        sys.modules[name] = package
        directory = directory.rpartition("/")[0]


if __name__ == "__main__":
    _empty_packages()
    from lb.apps.run.shim import main

    main(sys.argv[1])
