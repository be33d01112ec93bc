"""Media types by the end of a name."""

from __future__ import annotations

import pytest

from lb.http.media_types import media_type_of


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        (b"index.html", b"text/html; charset=utf-8"),
        (b"a/b.c/SITE.CSS", b"text/css; charset=utf-8"),
        (b"app.min.js", b"text/javascript; charset=utf-8"),
        (b"app.mjs", b"text/javascript; charset=utf-8"),
        (b"site.webmanifest", b"application/manifest+json"),
        (b"logo.svg", b"image/svg+xml"),
        (b"data.json", b"application/json"),
        (b"font.woff2", b"font/woff2"),
        (b"mod.wasm", b"application/wasm"),
        (b"archive.tar.gz", b"application/gzip"),
        (b"html", b"application/octet-stream"),
        (b".html", b"application/octet-stream"),
        (b"a.html/README", b"application/octet-stream"),
        (b"a.unheard-of", b"application/octet-stream"),
        (b"a.", b"application/octet-stream"),
        (b"", b"application/octet-stream"),
    ],
)
def test_the_type_of_a_name(name: bytes, media_type: bytes) -> None:
    assert media_type_of(name) == media_type
