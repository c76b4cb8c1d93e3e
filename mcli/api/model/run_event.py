"""Another import path of the events of runs."""

from mcli.run_details import FormattedRunEvent

__all__ = ["FormattedRunEvent"]
