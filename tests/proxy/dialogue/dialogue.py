"""A dialogue as it is written: what happens, and what the proxy does about it."""

from __future__ import annotations

from typing import Any, Self

from tests.proxy.dialogue.stage import Stage
from tests.proxy.dialogue.words import Word


class Dialogue:
    """One dialogue. The keywords are the configuration's: `production` that of the app's environment, `buffering` the
    app's; `instances` is how many it has, and `scheme` "https" where the client's port speaks TLS.
    """

    def __init__(
        self,
        *,
        instances: int = 1,
        scheme: str = "http",
        production: dict[str, Any] | None = None,
        buffering: str = "off",
        **config: Any,
    ) -> None:
        self.stage = Stage(instances, scheme, config, {"buffering": buffering} | (production or {}))
        self._said: list[str] = []

    def __rshift__(self, word: Word) -> Self:
        self._expect_silence(f">> {word}")
        self._said.append(f">> {word}")
        word.happen(self.stage)
        self.stage.settle()
        return self

    def __lshift__(self, word: Word) -> Self:
        assert word.is_done is not None, f"the proxy never does this: {word}"
        deeds = self.stage.deeds
        done = deeds.popleft() if deeds else None
        if done is None or not word.is_done(done):
            came = "did nothing" if done is None else f"did\n<< {done}"
            self._fail(f"and the proxy {came}\ninstead of\n<< {word}")
        self._said.append(f"<< {done}")
        return self

    def __bool__(self) -> bool:
        self._expect_silence("the end")
        self.stage.leave()
        return True

    def _expect_silence(self, before: str) -> None:
        if self.stage.deeds:
            more = "\n".join(f"<< {deed}" for deed in self.stage.deeds)
            self._fail(f"and the proxy did, which nobody said before\n{before}\n\n{more}")

    def _fail(self, how: str) -> None:
        raise AssertionError("\n" + "\n".join((*self._said, how)))
