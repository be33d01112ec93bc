"""What is left of an app's last lines."""

from __future__ import annotations

import pytest

from lb.apps.run.telling_lines import telling

TRACEBACK = """\
[2026-11-30 17:57:58 +0800] [9048] [ERROR] Exception in worker process
Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/gunicorn/arbiter.py", line 752, in spawn_worker
    worker.init_process()
                ^^^^^^^^^^^^^^^
  File "<frozen importlib._bootstrap>", line 1204, in _gcd_import
  File "/release/source/wsgi.py", line 1, in <module>
    import flask
ModuleNotFoundError: No module named 'flask'
""".splitlines()
OWN = [
    "Traceback (most recent call last):",
    '  File "/release/source/wsgi.py", line 1, in <module>',
    "    import flask",
    "ModuleNotFoundError: No module named 'flask'",
]
HALT = """\
[2026-11-30 17:57:58 +0800] [9030] [ERROR] Worker (pid:9032) exited with code 3.
[2026-11-30 17:57:58 +0800] [9030] [ERROR] Shutting down: Master
[2026-11-30 17:57:58 +0800] [9030] [ERROR] Reason: Worker failed to boot.
Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/gunicorn/arbiter.py", line 752, in halt
    raise HaltServer(reason)
gunicorn.errors.HaltServer: <HaltServer 'Worker failed to boot.' 3>
""".splitlines()


def test_the_app_s_own_part_of_a_traceback_is_left_once() -> None:
    assert list(telling([*TRACEBACK, *TRACEBACK, *HALT])) == OWN


def test_an_app_s_lines_stay() -> None:
    lines = ["starting", "", "  indented", "[INFO] Worker of the app says hello to 3", "2 + 2 = 4"]
    assert [line for line in telling(lines) if "Worker of" not in line] == [
        line for line in lines if "Worker of" not in line
    ]


def test_a_traceback_that_is_cut_off_stays() -> None:
    assert list(telling(OWN[:3])) == OWN[:3]


@pytest.mark.parametrize(
    "link",
    [
        "During handling of the above exception, another exception occurred:",
        "The above exception was the direct cause of the following exception:",
    ],
)
def test_what_joins_a_traceback_to_one_that_is_left_out_goes_with_it(link: str) -> None:
    assert list(telling([*OWN, "", link, "", *HALT[3:], "", "the end"])) == [*OWN, "the end"]
    assert list(telling([*HALT, "", link, "", *OWN])) == OWN
    both = [*OWN, "", link, "", *OWN[:-1], "ValueError: another"]
    assert list(telling(both)) == both, "both are the app's"


def test_where_nothing_would_be_left_the_server_says_how_its_worker_ended() -> None:
    assert list(telling([HALT[0], *HALT])) == HALT[:1]


def test_where_not_even_that_would_be_left_all_is_shown() -> None:
    assert list(telling(HALT[1:])) == HALT[1:]
    assert telling(()) == ()
