"""Another import path of `create_interactive_run`."""

from mcli.runs import create_interactive_run

__all__ = ["create_interactive_run"]
