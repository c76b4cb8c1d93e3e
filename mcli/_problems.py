"""A fault of a run configuration: what it is, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from mcli.exceptions import MCLIRunConfigValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcli._yaml import Document, Path

__all__ = ["Problem", "Severity", "Source", "dotted", "refusal", "source_of"]

Severity: TypeAlias = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with a run configuration, or worth a look.

    >>> import mcli
    >>> for problem in mcli.RunConfig(image="bash", compute={"gpus": "8x"}).problems():
    ...     print(problem.severity, problem)
    error 'compute.gpus' must be a whole number, not '8x'
    note 'name' is missing; platforms ask for one
    note 'command' is missing; platforms ask for one
    """

    field: str
    """What it is about, e.g. `compute.gpus` or `integrations[0].git_repo`; empty for the whole configuration."""
    message: str
    """What is wrong, in a sentence that names the field."""
    severity: Severity = "error"
    """`error`: refused before anything is sent. `warning`: sent all the same, and a warning is given when the
    configuration is read or sent. `note`: sent in silence; the platform may refuse it."""
    expected: str | None = None
    """What would be right, e.g. `a whole number`."""
    suggestion: str | None = None
    """What was probably meant, in place of a misspelt key or value."""
    file: str | None = None
    """The file that the configuration was read from, while it still has this value."""
    line: int | None = None
    """Line in the file, from 1."""
    column: int | None = None
    """Column in the line, from 1."""
    text: str | None = None
    """The line itself, but for environment variables, which may hold secrets."""
    path: tuple[str | int, ...] = ()
    """The keys and numbers that lead to the field."""

    def __str__(self) -> str:
        place = f", line {self.line}, column {self.column}" if self.line else ""
        meant = f"; did you mean {self.suggestion!r}?" if self.suggestion else ""
        return f"{self.file}{place}: {self.message}{meant}" if self.file else f"{self.message}{meant}"


class Source(NamedTuple):
    """Where a configuration was read from, and what was found then."""

    file: str | None
    lines: list[str]
    document: Document | None
    found: list[Problem]
    """What the configuration itself no longer shows: unknown keys, and keys that were given twice."""
    told: frozenset[str]
    """What the warnings said."""

    def locate(self, problem: Problem, values: Mapping[str, Any]) -> Problem:
        """Return the problem with its place in the file, unless the value has been changed since."""
        if not problem.path:
            return replace(problem, file=self.file)
        if self.file is None or self.document is None or not self._is_unchanged(problem.path, values):
            return problem
        keys, places, path = self.document.keys, self.document.values, problem.path
        while path and path not in keys and path not in places:
            path = path[:-1]
        key, value = keys.get(path), places.get(path)
        # a value that begins below its key is found by the key
        is_beside = value is not None and (key is None or value.line == key.line)
        place = value if is_beside and problem.severity == "error" else key
        if place is None:
            return replace(problem, file=self.file)
        hidden = "env_variables" in path
        text = None if hidden or place.line > len(self.lines) else self.lines[place.line - 1].strip()
        return replace(problem, file=self.file, line=place.line, column=place.column, text=text)

    def _is_unchanged(self, path: Path, values: Mapping[str, Any]) -> bool:
        now: Any = values
        then: Any = self.document.value if self.document else None
        try:
            for step in path:
                now, then = now[step], then[step]
        except (LookupError, TypeError):
            return path[0] not in values or now is None
        return bool(now == then)


def source_of(config: object) -> Source | None:
    """Return where a configuration was read from, None for one that was made in Python."""
    source: Source | None = vars(config).get("_source")
    return source


def dotted(path: Sequence[str | int]) -> str:
    """Return a path as people write it.

    >>> dotted(("integrations", 0, "git_repo"))
    'integrations[0].git_repo'
    """
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def refusal(problems: Sequence[Problem]) -> MCLIRunConfigValidationError:
    """Return the error that tells all errors and warnings, each with its line."""
    ranks = {"error": 0, "warning": 1}
    told = sorted(
        (each for each in problems if each.severity in ranks), key=lambda each: ranks[each.severity]
    )
    paragraphs = [f"{each}\n    {each.text}" if each.text else str(each) for each in told]
    if len(paragraphs) > 1:
        paragraphs.insert(0, f"The run configuration has {len(paragraphs)} problems:")
    return MCLIRunConfigValidationError("\n".join(paragraphs), problems=problems)
