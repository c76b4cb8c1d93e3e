"""What the platform bears: kills, a full disk, big logs, a million runs. `nox -s stress` plays it."""
