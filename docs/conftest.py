"""The blocks of the pages are tests: those of one page share their names and a platform of the page's own."""

from __future__ import annotations

import contextlib
import os
import shlex
import tempfile
from doctest import ELLIPSIS
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from sybil import Sybil
from sybil.evaluators.doctest import DocTestEvaluator
from sybil.parsers.abstract.doctest import DocTestStringParser
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

from mcli import RunConfig
from mcli.cli import main
from mcli.testing import local_platform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sybil import Document, Example, Region

collect_ignore = ["operations_shown.py"]  # griffe, which builds the site, is not there for tests

_stack = contextlib.ExitStack()


class Python(PythonCodeBlockParser):
    """Blocks of Python: they run, and then the tests that they define, as pytest would run them."""

    def evaluate(self, example: Example) -> None:
        known = set(example.namespace)
        super().evaluate(example)
        for name in set(example.namespace) - known:
            test = example.namespace[name]
            if name.startswith("test_"):
                test(*[None] * test.__code__.co_argcount)  # its fixture is the page's platform


class Console(CodeBlockParser):
    """Blocks of an interpreter's session: what it prints is compared."""

    language = "pycon"

    def __call__(self, document: Document) -> Iterator[Region]:
        session = DocTestStringParser(DocTestEvaluator(ELLIPSIS))
        for block in super().__call__(document):
            for region in session(str(block.parsed), document.path):
                region.adjust(block, block.parsed)
                yield region


def check_configuration(example: Example) -> None:
    """Read a YAML block as a run's configuration."""
    RunConfig.from_dict(yaml.safe_load(example.parsed))


def check_commands(example: Example) -> None:
    """Run the lines of a shell block that begin with `mcli`; one with placeholders is not a command."""
    for line in example.parsed.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["mcli"]:
            assert main(words[1:]) == 0, line


def start(_names: dict[str, Any]) -> None:
    home = _stack.enter_context(tempfile.TemporaryDirectory())
    patch = _stack.enter_context(pytest.MonkeyPatch.context())
    for variable in [name for name in os.environ if name.startswith(("MCLI_", "MOSAICML_"))]:
        patch.delenv(variable)
    patch.setenv("HOME", home)
    patch.setenv("MCLI_CONFIG_DIR", home)
    _stack.enter_context(local_platform())


def stop(_names: dict[str, Any]) -> None:
    _stack.close()


pytest_collect_file = Sybil(
    parsers=[
        Python(),
        Console(),
        CodeBlockParser("yaml", evaluator=check_configuration),
        CodeBlockParser("sh", evaluator=check_commands),
        SkipParser(),
    ],
    patterns=["*.md"],
    excludes=["architecture.md"],
    setup=start,
    teardown=stop,
).pytest()
