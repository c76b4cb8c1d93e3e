"""How hard the properties look: `--hypothesis-profile=thorough` tries 20 times the examples (`nox -s thorough`)."""

from hypothesis import settings

settings.register_profile("usual", max_examples=100, deadline=None)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile("usual")
