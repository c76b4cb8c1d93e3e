"""Say how much of the schema is in use.

`python -m codegen.coverage` lists the fields that no operation asks for, those that are asked for and that no code
reads, and the arguments and inputs that are never sent. A field counts as read where the code that the settings name
mentions its name in Python: as an attribute, a field of a class, a keyword or a text.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ariadne_codegen.utils import str_to_snake_case
from graphql import GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType, is_introspection_type

from codegen.settings import DEFAULT, SettingsError, load
from codegen.sources import SourceError, read
from codegen.usage import uses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codegen.settings import Settings
    from codegen.sources import Sources

__all__ = ["Coverage", "coverage", "main"]


@dataclass(frozen=True)
class Coverage:
    """What of a schema is in use, each part by its coordinate."""

    fields: int
    """Fields that an answer may have."""
    selected: int
    """Those that operations ask for."""
    never_selected: list[str]
    """Those that none asks for."""
    never_read: list[str]
    """Those that are asked for, and that no code mentions."""
    never_sent: list[str]
    """Arguments, and inputs with their fields, that no operation has a variable for."""

    def __str__(self) -> str:
        share = 100 * self.selected / self.fields if self.fields else 100
        lines = [f"{self.selected} of {self.fields} fields are selected ({share:.0f} %)."]
        for title, found in (
            ("Never selected", self.never_selected),
            ("Selected, never read", self.never_read),
            ("Never sent", self.never_sent),
        ):
            lines += [f"{title}: {len(found)}", *(f"  {each}" for each in found)]
        return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(
        "python -m codegen.coverage", description="How much of the schema is in use."
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--config", type=Path, default=DEFAULT, help="settings of the API (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        settings = load(options.config)
        report = coverage(settings, read(settings))
    except (SettingsError, SourceError) as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(asdict(report), indent=2) if options.json else report)
    return 0


def coverage(settings: Settings, sources: Sources) -> Coverage:
    """Return what of the schema operations and code use."""
    used = {use.coordinate for use in uses(sources.schema, sources.operations)}
    answers, sent = _parts(sources)
    selected = [field for field in answers if field in used]
    mentioned = _mentioned(settings.readers)
    never_read = [field for field in selected if settings.readers and not _spelled(field) & mentioned]
    never_selected = [field for field in answers if field not in used]
    return Coverage(
        len(answers), len(selected), never_selected, never_read, [part for part in sent if part not in used]
    )


def _parts(sources: Sources) -> tuple[list[str], list[str]]:
    """Return the fields of answers, and what can be sent."""
    answers, sent = [], []
    for name, kind in sources.schema.type_map.items():
        match kind:
            case _ if is_introspection_type(kind):
                continue
            case GraphQLInputObjectType():
                sent += [name, *(f"{name}.{field}" for field in kind.fields)]
            case GraphQLObjectType() | GraphQLInterfaceType():
                answers += [f"{name}.{field}" for field in kind.fields]
                sent += [f"{name}.{field}({each}:)" for field, of in kind.fields.items() for each in of.args]
    return answers, sent


def _spelled(coordinate: str) -> set[str]:
    """Return the names that a field may have in Python."""
    name = coordinate.rpartition(".")[2]
    snake = str_to_snake_case(name)
    return {name, snake, f"{snake}_"}


def _mentioned(folders: Iterable[Path]) -> set[str]:
    found: set[str] = set()
    for folder in folders:
        for path in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                found |= _names(node)
    return found


def _names(node: Any) -> set[str]:
    match node:
        case ast.Attribute(attr=name) | ast.keyword(arg=str(name)) | ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case ast.Constant(value=str(text)) if text.isidentifier():
            return {text}
    return set()


if __name__ == "__main__":
    sys.exit(main())
