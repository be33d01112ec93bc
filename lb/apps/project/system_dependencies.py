"""What `systemDependencies` may name (B9): how each is found on a machine, and which Debian packages bring it.

Plain data; build/system_packages.py looks for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SystemDependency:
    """It is there if one of `commands` is, and all `libraries` (names of shared objects) and one of `folders` are.

    `packages` are those of Debian and Ubuntu; where there are none, `source` says where it comes from.
    """

    commands: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    source: str = ""


SYSTEM_DEPENDENCIES: Mapping[str, SystemDependency] = {
    "ffmpeg": SystemDependency(commands=("ffmpeg",), packages=("ffmpeg",)),
    "imagemagick": SystemDependency(commands=("magick", "convert"), packages=("imagemagick",)),
    "fonts-wqy": SystemDependency(
        folders=("fonts/truetype/wqy", "fonts/wqy-microhei", "fonts/wqy-zenhei"),
        packages=("fonts-wqy-microhei", "fonts-wqy-zenhei"),
    ),
    "fonts-noto": SystemDependency(
        folders=("fonts/opentype/noto", "fonts/truetype/noto", "fonts/noto"), packages=("fonts-noto", "fonts-noto-cjk")
    ),
    "chrome-headless": SystemDependency(
        commands=("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome-headless-shell"),
        packages=("chromium",),
    ),
    "node-canvas": SystemDependency(
        libraries=("cairo", "pango-1.0", "pangocairo-1.0", "jpeg", "gif", "rsvg-2"),
        packages=("libcairo2-dev", "libpango1.0-dev", "libjpeg-dev", "libgif-dev", "librsvg2-dev"),
    ),
    "python-talib": SystemDependency(
        libraries=("ta_lib",), source="no Debian package has it: install TA-Lib's own package from https://ta-lib.org"
    ),
}
WITHDRAWN: Mapping[str, str] = {"phantomjs": "use chrome-headless instead"}
