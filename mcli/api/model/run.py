"""Another import path of runs and their parts, as the platform's page spells it."""

from mcli.run import Run
from mcli.run_details import Node, Resumption, RunLifecycle

__all__ = ["Node", "Resumption", "Run", "RunLifecycle"]
