"""What the demo writes and deploys, with an engine that is a script."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from lb.cli import demo_deploys
from lb.cli.demo_deploys import bring_up, write_demo
from lb.cli.engine_client import EngineLine


class ScriptedEngine:
    """Takes a project and answers; `states` are those of the environments, `problems` fail a deploy."""

    def __init__(self, states: dict[tuple[str, str], str], problems: dict[tuple[str, str], str] | None = None) -> None:
        self._states = states
        self._problems = problems or {}
        self.deployed: list[tuple[str, str, list[str]]] = []
        self.told: list[str] = []
        self._told_after = 0

    def tell(self, text: str) -> None:
        self.told.append(text)
        self._told_after = len(self.deployed)

    @property
    def first_page_after(self) -> int:
        """After how many deploys."""
        return self._told_after

    def connect(self) -> EngineLine:
        sent = bytearray()

        def events() -> Iterator[bytes]:
            request = json.loads(sent.partition(b"\n")[0])
            if request["command"] == "ps":
                shown = [
                    {"app": app, "environment": name, "state": state} for (app, name), state in self._states.items()
                ]
                yield json.dumps({"event": "result", "ok": True, "environments": shown}).encode()
                return
            target = request["app"], request["environment"]
            yield b'{"event": "deploy", "id": "d1"}'
            yield b'{"event": "send", "what": "source"}'
            _, _, chunk = bytes(sent).partition(b"\n")[2].partition(b"\n")
            with tarfile.open(fileobj=BytesIO(chunk)) as archive:
                self.deployed.append((*target, sorted(archive.getnames())))
            problem = self._problems.get(target)
            result: dict[str, Any] = {"event": "result", "ok": problem is None, "sentence": problem, "lines": ["boom"]}
            yield json.dumps(result).encode()

        return EngineLine(events(), sent.extend, lambda: None)  # type: ignore[arg-type]


ALL = [("demo", "production"), ("demo", "staging"), ("hello", "production")]


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_deploys, "PLACE", tmp_path)
    write_demo(tmp_path)


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    edited = tmp_path / "web" / "asgi.py"
    edited.write_text("mine", "utf-8")
    (tmp_path / "hello" / "wsgi.py").unlink()
    write_demo(tmp_path)
    assert edited.read_text("utf-8") == "mine"
    assert (tmp_path / "hello" / "wsgi.py").exists()


def test_the_first_page_comes_before_the_other_deploys() -> None:
    engine = ScriptedEngine(dict.fromkeys(ALL, "never"))
    bring_up(engine.connect, engine.tell)
    assert [one[:2] for one in engine.deployed] == ALL
    assert engine.told == [""]
    assert engine.first_page_after == 1
    assert {"asgi.py", "page.html", "requirements.txt", ".python-version"} <= set(engine.deployed[0][2])
    assert "wsgi.py" in engine.deployed[2][2]


def test_what_was_deployed_before_is_left_to_the_engine() -> None:
    engine = ScriptedEngine({**dict.fromkeys(ALL, "running"), ("hello", "production"): "never"})
    bring_up(engine.connect, engine.tell)
    assert [one[:2] for one in engine.deployed] == [("hello", "production")]
    assert engine.told == [""]
    assert engine.first_page_after == 0


def test_a_deploy_that_fails_is_told_with_its_last_lines() -> None:
    engine = ScriptedEngine(dict.fromkeys(ALL, "never"), {("demo", "production"): "web1 exited with status 3"})
    bring_up(engine.connect, engine.tell)
    assert engine.told == ["demo production is not deployed: web1 exited with status 3. \n       boom"]
    assert len(engine.deployed) == 3


def test_an_engine_that_cannot_be_reached_is_told() -> None:
    def connect() -> EngineLine:
        raise ConnectionRefusedError(111, "Connection refused")

    told: list[str] = []
    bring_up(connect, told.append)
    assert told == ["Connection refused"]
