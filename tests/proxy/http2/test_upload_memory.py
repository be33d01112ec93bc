"""How much the windows of uploads may grow by."""

from __future__ import annotations

from lb.proxy.http2.upload_memory import UploadMemory


def test_all_or_nothing() -> None:
    memory = UploadMemory()
    whole = memory.left
    assert memory.take(1000) == 1000
    assert memory.take(whole) == 0
    assert memory.left == whole - 1000
    memory.give_back(1000)
    assert memory.take(whole) == whole
    assert memory.take(1) == 0
