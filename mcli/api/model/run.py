"""Another import path of runs and their parts, as the platform's page spells it."""

from mcli.run_details import Node, Resumption, RunLifecycle
from mcli.runs import Run

__all__ = ["Node", "Resumption", "Run", "RunLifecycle"]
