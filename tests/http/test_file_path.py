"""The first fence around files: no path leads out, and what is let through names one file."""

from __future__ import annotations

import posixpath
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lb.http.file_path import FilePath, directory_location, file_path


@pytest.mark.parametrize(
    ("rest", "name", "of_directory"),
    [
        (b"a.txt", b"a.txt", False),
        (b"css/site.css", b"css/site.css", False),
        (b"", b"", True),
        (b"docs/", b"docs", True),
        (b"docs//a.txt", b"docs/a.txt", False),
        (b"//", b"", True),
        (b"a%20b.txt", b"a b.txt", False),
        (b"%C3%BC", b"\xc3\xbc", False),
        (b"100%25.txt", b"100%.txt", False),
        (b"%252e%252e", b"%2e%2e", False),
        (b".well-known/security.txt", b".well-known/security.txt", False),
        (b"a..b/c.", b"a..b/c.", False),
        (b"~user;v=1", b"~user;v=1", False),
    ],
)
def test_a_path_names_a_file(rest: bytes, name: bytes, of_directory: bool) -> None:
    assert file_path(rest) == FilePath(name, of_directory)


@pytest.mark.parametrize(
    "rest",
    [
        b"..",
        b"../etc/passwd",
        b"a/../../etc/passwd",
        b"a/..",
        b".",
        b"./a",
        b"%2e%2e/etc/passwd",
        b"%2E./etc/passwd",
        b".%2e/etc/passwd",
        b"a/%2e%2e%2fetc",
        b"..%2fetc",
        b"a%2fb",
        b"a%5cb",
        b"a\\..\\b",
        b"..\\",
        b"a%00.txt",
        b"a\x00",
        b"a%0a",
        b"a%7f",
        b"...",
        b".git/config",
        b"%2egit/config",
        b".env",
        b"a/.htpasswd",
        b".well-known/.secret",
        b".Well-Known",
        b"%",
        b"%2",
        b"%zz",
        b"a%u002e",
    ],
)
def test_what_could_lead_elsewhere_is_refused(rest: bytes) -> None:
    # spec: P2
    assert file_path(rest) is None


_PIECES = st.sampled_from(
    [
        b"a",
        b".",
        b"..",
        b"/",
        b"//",
        b"%2e",
        b"%2E",
        b"%2f",
        b"%5c",
        b"\\",
        b"%00",
        b"%25",
        b"%",
        b"\x00",
        b"\xff",
        b"~",
        b";",
    ]
)


@given(st.lists(_PIECES | st.binary(max_size=3), max_size=12).map(b"".join))
def test_nothing_that_is_let_through_leads_out(rest: bytes) -> None:
    # spec: P2
    found = file_path(rest)
    if found is None:
        return
    assert b"\x00" not in found.name
    assert b"\\" not in found.name
    assert not found.name.startswith(b"/")
    whole = posixpath.normpath(posixpath.join(b"/srv/files", found.name))
    assert whole == b"/srv/files" + (b"/" + found.name if found.name else b"")
    assert all(part == b".well-known" or not part.startswith(b".") for part in found.name.split(b"/"))


@given(st.lists(st.binary(min_size=1, max_size=8), min_size=1, max_size=4))
def test_an_encoded_name_is_that_name_or_refused(parts: list[bytes]) -> None:
    found = file_path(b"/".join(quote_from_bytes(part, safe="").encode() for part in parts))
    if found is not None:
        assert found.name == b"/".join(parts)


@pytest.mark.parametrize(
    ("path", "location"), [(b"/static/docs", b"/static/docs/"), (b"//evil.test", b"/evil.test/"), (b"///a/b", b"/a/b/")]
)
def test_a_directory_is_redirected_to_on_the_same_host(path: bytes, location: bytes) -> None:
    assert directory_location(path) == location
