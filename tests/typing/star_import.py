"""What type checkers make of a star import. Checked, never run: `mypy --strict` and `pyright`."""

from __future__ import annotations

from typing import assert_type

from mcli import *  # noqa: F403 - it is what is checked


def names_are_there(config: RunConfig) -> None:  # noqa: F405
    assert_type(create_run(config), Run)  # noqa: F405
