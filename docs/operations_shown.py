"""How the site shows docstrings: calls with their results, examples as code, public names as links (for griffe)."""

from __future__ import annotations

import re
from typing import Any

import griffe

_CALLS = {"query", "mutation", "log_stream", "status_stream"}


class Operations(griffe.Extension):
    """Shows what a person who calls should read, not how it is made."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        names = {
            name
            for name, member in pkg.members.items()
            if not name.startswith("_") and not isinstance(member, griffe.Module)
        }
        self._walk(pkg, names, set())

    def _walk(self, shown: Any, names: set[str], seen: set[str]) -> None:
        if shown.is_alias or shown.path in seen:
            return
        seen.add(shown.path)
        if shown.docstring:
            shown.docstring.value = _fenced(_linked(shown.docstring.value, names))
        for member in list(shown.members.values()):
            self._walk(member, names, seen)

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        if {str(each.value).rpartition(".")[2] for each in func.decorators} & _CALLS:
            result = str(func.returns).removeprefix("Coroutine[Any, Any, ").removesuffix("]")
            func.returns = re.sub(r"AsyncGenerator\[Sequence\[(.*)\], None", r"Generator[\1]", result)
            func.decorators = []


def _linked(text: str, names: set[str]) -> str:
    return re.sub(
        r"(?<![`\[\w])`(\w+)`(?!`|\])",
        lambda found: f"[`{found[1]}`][mcli.{found[1]}]" if found[1] in names else found[0],
        text,
    )


def _fenced(text: str) -> str:
    """Put examples into fences: a trailing `>>>` would be a quotation in a quotation in a quotation."""
    lines: list[str] = []
    indent: str | None = None
    for line in text.splitlines():
        if indent is None and line.lstrip().startswith(">>>"):
            indent = line[: len(line) - len(line.lstrip())]
            lines.append(f"{indent}```pycon")
        elif indent is not None and not line.strip():
            lines.append(f"{indent}```")
            indent = None
        lines.append(line)
    return "\n".join([*lines, *([] if indent is None else [f"{indent}```"])])
