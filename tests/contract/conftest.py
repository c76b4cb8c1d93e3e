"""What pytest must leave to `nox -s contract`: it needs packages that the tests do not have."""

collect_ignore = ["cases.py"]
