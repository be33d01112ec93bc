"""Identifiers for requests that brought none."""

from __future__ import annotations

import re

from lb.proxy.request_ids import RequestIds


def test_each_is_another_one_of_the_same_form() -> None:
    # spec: H5
    ids = RequestIds()
    made = [ids.new() for _ in range(10_000)]  # beyond the three digits of which there is a table
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(rb"[0-9a-f]{32}", one) for one in made)


def test_those_of_one_worker_are_counted_and_those_of_two_differ() -> None:
    # spec: H5
    ids, others = RequestIds(), RequestIds()
    first, second = (int(ids.new(), 16) for _ in range(2))
    assert second == first + 1
    assert ids.new()[:16] != others.new()[:16]
