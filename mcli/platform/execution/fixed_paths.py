"""Fixed folders in the text of a command, where a run cannot have them: they are replaced by the real ones.

Only a whole absolute path is meant: `/workspace` and `/workspace/data`, but not `${HOME}/workspace`, `dbfs:/workspace`
or `/workspace.txt`. A real path may hold any characters: it is quoted as the place wants it where it is put.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Replacement"]

_BEFORE = frozenset(" \t\n=(<>|&;,[{`!")
"""What an absolute path may follow; quotes and `:-` are looked at more closely."""
_AFTER = frozenset(" \t\n/:;,)]}|&<>`")
"""What may follow the name of a folder."""
_PATHS = re.compile(r"""(?:^|[\s=:'"])(/[^\s:'"]*|\$\{?\w*PATH\}?)$""")
"""What before a colon shows that it stands in a list of paths."""
_LOOK_BACK = 1000  # characters
_HEREDOC = re.compile(r"(?<!<)<<-?[ \t]*(?:'([^'\n]+)'|\"([^\"\n]+)\"|\\?([\w.-]+))")


@dataclass
class Replacement:
    """Replaces the fixed paths of one run, and knows which it has met."""

    real: Mapping[str, str]
    """The folder of this machine for each fixed path; empty where those exist."""
    used: set[str] = field(default_factory=set)

    def path(self, text: str) -> str:
        """Replace the fixed folder that a path begins with."""
        for place in sorted(self.real, key=len, reverse=True):
            if text == place or text.startswith(f"{place}/"):
                self.used.add(place)
                return self.real[place] + text[len(place) :]
        return text

    def command(self, text: str) -> str:
        """Replace the fixed folders that the text of a shell command names."""
        return _Scan(text, self).result() if self.real else text


class _Scan:
    """One pass over a shell text, which knows at each place how it is quoted."""

    def __init__(self, text: str, replacement: Replacement) -> None:
        self._text = text
        self._replacement = replacement
        self._places = sorted(replacement.real, key=len, reverse=True)
        self._stack = [""]
        """What is open: `"`, `'`, `(` of a substitution, `{` of a parameter; "" outermost."""
        self._heredocs: list[tuple[str, bool]] = []
        """Ends of the here-documents that begin after this line, and whether the shell expands them."""
        self._at = 0
        self._written: list[str] = []

    def result(self) -> str:
        """Return the text with its fixed paths replaced."""
        while self._at < len(self._text):
            if place := self._fixed_path():
                self._written.append(self._quoted(self._replacement.real[place]))
                self._replacement.used.add(place)
                self._at += len(place)
            else:
                self._step()
        return "".join(self._written)

    def _copy(self, length: int) -> None:
        self._written.append(self._text[self._at : self._at + length])
        self._at += length

    def _step(self) -> None:
        """Copy a character, or a few that belong together, and note what they open or close."""
        character, open_, text = self._text[self._at], self._stack[-1], self._text
        if open_ == "'":
            if character == "'":
                self._stack.pop()
        elif character == "\\":
            return self._copy(2)
        elif character == '"':
            self._stack.pop() if open_ == '"' else self._stack.append('"')
        elif text.startswith(("$(", "${"), self._at):
            self._stack.append(text[self._at + 1])
            return self._copy(2)
        elif (open_, character) in {("(", ")"), ("{", "}")}:
            self._stack.pop()
        elif open_ != '"':
            return self._step_unquoted(character)
        return self._copy(1)

    def _step_unquoted(self, character: str) -> None:
        if character == "'":
            self._stack.append("'")
        elif character == "(" and self._stack[-1] == "(":
            self._stack.append("(")
        elif character == "#" and self._previous(self._at) in {"", " ", "\t", "\n", ";"}:
            return self._copy(len(self._text[self._at :].partition("\n")[0]))
        elif (found := _HEREDOC.match(self._text, self._at)) and self._is_ended(found):
            self._heredocs.append(
                (found[1] or found[2] or found[3], found[3] is not None and "\\" not in found[0])
            )
            return self._copy(len(found[0]))
        elif character == "\n" and self._heredocs:
            return self._copy_heredocs()
        return self._copy(1)

    def _is_ended(self, found: re.Match[str]) -> bool:
        """Tell a here-document, whose end comes, from a shift of bits."""
        return _end_of(found[1] or found[2] or found[3]).search(self._text, found.end()) is not None

    def _copy_heredocs(self) -> None:
        self._copy(1)
        for end, is_expanded in self._heredocs:
            found = _end_of(end).search(self._text, self._at)
            stop = found.end() if found else len(self._text)
            while self._at < stop:
                if place := self._fixed_path():
                    real = self._replacement.real[place]
                    self._written.append(re.sub(r"[\\$`]", r"\\\g<0>", real) if is_expanded else real)
                    self._replacement.used.add(place)
                    self._at += len(place)
                else:
                    self._copy(1)
        self._heredocs.clear()

    def _previous(self, position: int) -> str:
        return self._text[position - 1 : position] if position else ""

    def _fixed_path(self) -> str | None:
        """Return the fixed folder that is meant here, if one is."""
        if self._text[self._at] != "/" or not self._begins(self._at):
            return None
        for place in self._places:
            if self._text.startswith(place, self._at) and self._ends(self._at + len(place)):
                return place
        return None

    def _begins(self, position: int) -> bool:
        """Tell whether a word may begin here. A quote counts for what stands before it."""
        before = self._previous(position)
        if before in {"'", '"', "\\"}:
            return self._begins(position - 1)
        if before == ":":
            return _PATHS.search(self._text[max(0, position - _LOOK_BACK) : position - 1]) is not None
        return not before or before in _BEFORE or self._text[max(0, position - 2) : position] == ":-"

    def _ends(self, position: int) -> bool:
        """Tell whether the folder's name ends here. A quote counts for what stands behind it."""
        after = self._text[position : position + 1]
        if after in {"'", '"'} or self._text[position : position + 2] in {"\\'", '\\"'}:
            return self._ends(position + (2 if after == "\\" else 1))
        return not after or after in _AFTER

    def _quoted(self, real: str) -> str:
        """Quote a real path for what is open here."""
        if self._stack[-1] == '"':
            return re.sub(r'[\\$`"]', r"\\\g<0>", real)
        if self._stack[-1] == "'":
            return real.replace("'", "'\\''")
        return shlex.quote(real)


def _end_of(word: str) -> re.Pattern[str]:
    return re.compile(rf"^\t*{re.escape(word)}$", re.MULTILINE)
