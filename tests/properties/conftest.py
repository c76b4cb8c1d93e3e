"""How hard the properties look. `HYPOTHESIS_PROFILE=thorough` tries 20 times the examples (`nox -s thorough`)."""

import os

from hypothesis import Phase, settings

settings.register_profile("usual", max_examples=100, deadline=None)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.register_profile("planted", settings.get_profile("usual"), phases=[Phase.explicit, Phase.generate])
settings.register_profile("mutants", settings.get_profile("planted"), max_examples=40, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))
