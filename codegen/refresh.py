"""Say what a change of the service's schema means for us.

`python -m codegen.refresh SOURCE` compares a schema with ours: that of an endpoint (`https://…`), of a `.graphql` file,
or of an introspection in a `.json` file. It tells every change, and which operations of ours it touches. The exit
status is 0 if nothing of ours breaks, 1 if something does, 2 if the source cannot be read. `--write` takes the new
schema into our file, whose comments, order and layout stay. The key is read from the environment variable that the
settings name.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codegen.changes import Change, changes
from codegen.introspection import RefreshError, schema_of
from codegen.merging import merged
from codegen.settings import DEFAULT, SettingsError, load
from codegen.sources import SourceError, problems_of, read
from codegen.usage import Use, by_coordinate, uses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import DocumentNode, GraphQLSchema


__all__ = ["Report", "Touched", "compare", "main"]


@dataclass(frozen=True)
class Touched:
    """A change, and what of ours it touches."""

    change: Change
    uses: list[Use]
    breaks: bool
    """Whether what we send is refused, or what we read can no longer be read."""


@dataclass(frozen=True)
class Report:
    """What a new schema changes, and where our operations do not fit it."""

    changes: list[Touched]
    invalid: list[str]

    @property
    def breaks(self) -> bool:
        """Whether something of ours breaks."""
        return bool(self.invalid) or any(each.breaks for each in self.changes)

    def __str__(self) -> str:
        return "\n".join([*map(_line, self.changes), *self.invalid, self.summary])

    @property
    def summary(self) -> str:
        """One line with the number of changes of each level."""
        if not self.changes and not self.invalid:
            return "Nothing has changed."
        levels = [each.change.level for each in self.changes]
        told = ", ".join(f"{levels.count(level)} {level}" for level in ("breaking", "dangerous", "safe"))
        return f"{told}; {'something of ours breaks' if self.breaks else 'nothing of ours breaks'}."

    def as_json(self) -> str:
        """Return the report for machines."""
        listed = [
            {**each.change._asdict(), "breaks": each.breaks, "uses": [use._asdict() for use in each.uses]}
            for each in self.changes
        ]
        return json.dumps({"breaks": self.breaks, "changes": listed, "invalid": self.invalid}, indent=2)

    def as_markdown(self) -> str:
        """Return the report as a section of a changelog."""
        parts = []
        for level in ("breaking", "dangerous", "safe"):
            lines = [_bullet(each) for each in self.changes if each.change.level == level]
            parts += [f"### {level.capitalize()}\n", *lines, ""] if lines else []
        if self.invalid:
            quoted = [f"```\n{problem}\n```" for problem in self.invalid]
            parts += ["### Operations that do not fit any more\n", *quoted, ""]
        return "\n".join([*parts, self.summary])


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser("python -m codegen.refresh", description="Compare with another schema.")
    parser.add_argument("source", help="URL of an endpoint, .graphql file, or introspection as .json file")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the report as JSON")
    form.add_argument("--markdown", action="store_true", help="print the report as Markdown")
    parser.add_argument("--write", action="store_true", help="take the new schema into our file")
    parser.add_argument("--config", type=Path, default=DEFAULT, help="settings of the API (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        settings = load(options.config)
        sources = read(settings)
        key = os.environ.get(settings.api_key) if settings.api_key else None
        new = schema_of(options.source, key, settings.api_key)
        report = compare(sources.schema, new, sources.operations)
        if options.write:
            settings.schema.write_text(merged(settings.schema.read_text("utf-8"), new), "utf-8")
    except (OSError, RefreshError, SettingsError, SourceError, ValueError) as error:
        print(f"refresh: {error}", file=sys.stderr)
        return 2
    print(report.as_json() if options.json else report.as_markdown() if options.markdown else report)
    return int(report.breaks)


def compare(old: GraphQLSchema, new: GraphQLSchema, operations: DocumentNode) -> Report:
    """Return what `new` changes for the clients of `old` that send `operations`."""
    used = by_coordinate(uses(old, operations))
    touched = [_touched(change, used) for change in changes(old, new)]
    return Report(touched, problems_of(new, operations))


# What is new is used where that is used which it belongs to.
_OF_OWNER = {
    "OPTIONAL_ARG_ADDED",
    "OPTIONAL_INPUT_FIELD_ADDED",
    "REQUIRED_ARG_ADDED",
    "REQUIRED_DIRECTIVE_ARG_ADDED",
    "REQUIRED_INPUT_FIELD_ADDED",
    "VALUE_ADDED_TO_ENUM",
    "VALUE_REMOVED_FROM_ENUM",
}
# These break only operations that ask for what is gone, which then are not valid any more.
_ONLY_IF_INVALID = {"IMPLEMENTED_INTERFACE_REMOVED", "TYPE_REMOVED_FROM_UNION"}


def _touched(change: Change, used: Mapping[str, list[Use]]) -> Touched:
    at = _owner(change.at) if change.kind in _OF_OWNER else change.at
    found = used.get(at, [])
    breaks = change.level == "breaking" and bool(found) and change.kind not in _ONLY_IF_INVALID
    if change.kind == "VALUE_REMOVED_FROM_ENUM":  # enums are open: only what is sent can be refused
        breaks = any(use.sends for use in found)
    return Touched(change, found, breaks or change.kind == "ROOT_TYPE_CHANGED")


def _owner(at: str) -> str:
    return at.partition("(")[0] if at.endswith(":)") else at.rpartition(".")[0]


def _line(each: Touched) -> str:
    mark = "BREAKS" if each.breaks else "ours" if each.uses else ""
    places = "".join(f"\n    {place}" for place in dict.fromkeys(use.place for use in each.uses))
    return f"{each.change.level:<9} {mark:<6} {each.change.kind}: {each.change.text}{places}"


def _bullet(each: Touched) -> str:
    places = ", ".join(dict.fromkeys(f"`{use.file}:{use.line}`" for use in each.uses))
    mark = "**breaks ours** " if each.breaks else "touches ours " if each.uses else ""
    return f"- {each.change.text} {f'({mark}at {places})' if places else ''}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
