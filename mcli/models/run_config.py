"""Another import path of run configurations, as the platform's page spells it."""

from mcli.run_config import ComputeConfig, RunConfig, SchedulingConfig

__all__ = ["ComputeConfig", "RunConfig", "SchedulingConfig"]
