"""What is wrong with a project that somebody wants to deploy: a sentence, the next step, and where it is written."""

from __future__ import annotations

from collections.abc import Iterable

from lb.config.problems import Problem, in_order


class ProjectError(Exception):
    """A project that cannot be deployed as it is. `sentence` says why, `next_step` what to do; str() is all of it.

    `file` is relative to the project; `line` and `column` count from 1 (0: the file as a whole). A command ends with
    exit code 78.
    """

    def __init__(self, sentence: str, next_step: str = "", *, file: str = "", problems: Iterable[Problem] = ()) -> None:
        self.sentence = sentence
        self.next_step = next_step
        self.file = file
        self.line = self.column = 0
        self.problems: tuple[Problem, ...] = in_order(problems)
        super().__init__(sentence)

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> ProjectError:
        """All that is wrong in one file; the fields are those of the first."""
        found = in_order(problems)
        first = found[0]
        error = cls(first.message, first.hint, file=first.file, problems=found)
        error.line, error.column = first.line, first.column
        return error

    def __str__(self) -> str:
        if self.problems:
            return "\n".join(map(str, self.problems))
        lines = [f"{self.file}: {self.sentence}" if self.file else self.sentence]
        if self.next_step:
            lines.append(f"    {self.next_step}")
        return "\n".join(lines)
