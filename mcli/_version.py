"""The version of this distribution, read by the build and sent as `x-mosaicml-client-version`."""

__version__ = "0.1.0"
