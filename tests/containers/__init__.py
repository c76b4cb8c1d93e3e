"""Runs in containers, with podman and an image made of Debian's packages: `nox -s containers`."""
