"""`.python-version` and `runtime.txt`: what is accepted, and what is said of every other spelling."""

from __future__ import annotations

import pytest

from lb.apps.project.errors import ProjectError
from lb.apps.project.python_version import PythonRequest, parse_default, parse_runtime, parse_version_file
from lb.apps.project.text import as_text

NAME = ".python-version"
ACCEPTED = {
    b"3": (3, None, None),
    b"3.12": (3, 12, None),
    b"3.12\n": (3, 12, None),
    b"3.12.1": (3, 12, 1),
    b"3.12.1\r\n": (3, 12, 1),
    b"  3.12\t\n\n": (3, 12, None),
    b"\xef\xbb\xbf3.12\n": (3, 12, None),
    "3.12\r\n".encode("utf-16"): (3, 12, None),
    b"# the version\n3.10\n": (3, 10, None),
    b"3.10 # as on the laptop\n": (3, 10, None),
    b"2.7": (2, 7, None),
    b"2.7.18": (2, 7, 18),
    b"2": (2, None, None),
}
# What stands in the file → what is said, and what to write.
REFUSED = {
    b"": ("the file names no version", "write one, such as 3.13, or remove the file"),
    b"# nothing\n": ("the file names no version", "write one, such as 3.13, or remove the file"),
    b"python-3.12": ('"python-3.12" is not a version of Python', "write 3.12"),
    b"Python 3.12": ('"Python" is not a version', "write a version of Python, such as 3.13"),
    b"cpython-3.12.1": ('"cpython-3.12.1" is not a version of Python', "write 3.12.1"),
    b"cpython@3.12": ('"cpython@3.12" is not a version of Python', "write 3.12"),
    b"3.12.x": ('"3.12.x" is not a version of Python', "write 3.12"),
    b"3.12.*": ('"3.12.*" is not a version of Python', "write 3.12"),
    b">=3.12": ('">=3.12" is not a version of Python', "write 3.12"),
    b"~=3.12.1": ('"~=3.12.1" is not a version of Python', "write 3.12.1"),
    b"v3.12": ('"v3.12" is not a version of Python', "write 3.12"),
    b'"3.12"': ('""3.12"" is not a version of Python', "write 3.12"),
    b"3,12": ('"3,12" is not a version of Python', "write 3.12"),
    b"312": ('"312" is not a version of Python', "write 3.12"),
    b"3.": ('"3." is not a version of Python', "write 3"),
    b"3.12.1.2": ('"3.12.1.2" is not a version of Python', "write 3.12.1"),
    b"03.12": ('"03.12" is not a version of Python', "write 3.12"),
    b"3.14-dev": ('"3.14-dev" is not a stable release', "write 3.14"),
    b"3.14.0rc1": ('"3.14.0rc1" is not a stable release', "write 3.14"),
    b"3.15.0a2": ('"3.15.0a2" is not a stable release', "write 3.15"),
    b"3.13t": ('"3.13t" is a free-threaded build, which is not supported', "write 3.13"),
    b"pypy3.10-7.3.12": ('"pypy3.10-7.3.12" is PyPy; only CPython is supported', "write 3.10"),
    b"PyPy": ('"PyPy" is PyPy; only CPython is supported', "write a version of Python, such as 3.13"),
    b"jython-2.7.3": ('"jython-2.7.3" is Jython; only CPython is supported', "write a version of Python, such as 3.13"),
    b"ironpython": ('"ironpython" is IronPython; only CPython is supported', "write a version of Python, such as 3.13"),
    b"miniconda3-3.11-24.1.2-0": (
        '"miniconda3-3.11-24.1.2-0" is Miniconda; only CPython is supported',
        "write a version of Python, such as 3.13",
    ),
    b"system": ('"system" is not a version', "write a version of Python, such as 3.13"),
    b"latest": ('"latest" is not a version', "write a version of Python, such as 3.13"),
    b"my-project": ('"my-project" is not a version of Python', "write a version of Python, such as 3.13"),
    b"2.6": ("Python 2.6 is not supported; of Python 2 only 2.7 is", "write 2.7"),
    b"4.0": ("there is no Python 4.0", "write a version of Python, such as 3.13"),
    b"1.5.2": ("there is no Python 1.5.2", "write a version of Python, such as 3.13"),
}


@pytest.mark.parametrize("data", ACCEPTED)
def test_versions_that_are_accepted(data: bytes) -> None:
    # spec: B10
    request, notes = parse_version_file(as_text(data, NAME))
    assert (request.major, request.minor, request.patch) == ACCEPTED[data]
    assert request.origin == NAME
    assert not notes


@pytest.mark.parametrize("data", REFUSED)
def test_other_spellings_are_told_the_right_one(data: bytes) -> None:
    with pytest.raises(ProjectError) as raised:
        parse_version_file(as_text(data, NAME))
    assert (raised.value.sentence, raised.value.next_step) == REFUSED[data]
    assert raised.value.file == NAME


def test_there_are_many() -> None:
    assert len(REFUSED) >= 30


def test_of_several_versions_the_first_one_is_used_and_it_is_said() -> None:
    request, (note,) = parse_version_file("3.12.1\n3.11\n")
    assert str(request) == "3.12.1"
    assert note == ".python-version names several versions: the first one, 3.12.1, is used"


@pytest.mark.parametrize(
    ("text", "version"), [("python-3.5\n", "3.5"), ("python-3.12.1", "3.12.1"), ("python-2.7", "2.7")]
)
def test_runtime_txt(text: str, version: str) -> None:
    request = parse_runtime(text)
    assert str(request) == version
    assert request.origin == "runtime.txt"


@pytest.mark.parametrize(
    ("text", "next_step"),
    [("3.12", "write python-3.12"), ("", "write python-3.13, or remove the file"), ("python-3.x", "write python-3")],
)
def test_runtime_txt_in_other_spellings(text: str, next_step: str) -> None:
    with pytest.raises(ProjectError) as raised:
        parse_runtime(text)
    assert raised.value.next_step == next_step


def test_which_versions_a_request_admits() -> None:
    assert PythonRequest().admits((3, 14, 0))
    assert PythonRequest(3, 1).admits((3, 1, 5))
    assert not PythonRequest(3, 1).admits((3, 12, 1))
    assert not PythonRequest(3, 12, 1).admits((3, 12, 2))
    assert parse_default("2.7").admits((2, 7, 18))
    assert parse_default("").admits((3, 13, 0))
