# Written by `python -m codegen` from the table of names in mcli/__init__.py. Do not edit.

"""An import path of older programs; `mcli` has every public name."""

from mcli.run import Run
from mcli.run_details import Node, Resumption, RunLifecycle

__all__ = ["Node", "Resumption", "Run", "RunLifecycle"]
