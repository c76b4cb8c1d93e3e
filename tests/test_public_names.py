"""What the package offers, and that all of it is explained."""

from __future__ import annotations

import doctest
import inspect
import subprocess
import sys

import pytest

import mcli

UNEXPLAINED_BY_NATURE = {"__version__"}


def is_ours(thing: object) -> bool:
    return getattr(thing, "__module__", "").partition(".")[0] == "mcli"


@pytest.mark.parametrize("name", sorted(set(mcli.__all__) - UNEXPLAINED_BY_NATURE))
def test_each_public_name_is_explained(name: str) -> None:
    """Each public name has a docstring of its own, which begins with one line that ends in a full stop."""
    first, *_ = (inspect.getdoc(getattr(mcli, name)) or "").splitlines() or [""]
    assert first.endswith(".")


@pytest.mark.parametrize("name", sorted(set(mcli.__all__) - UNEXPLAINED_BY_NATURE))
def test_each_public_method_is_explained(name: str) -> None:
    """Each public method and property that we define has a docstring."""
    thing = getattr(mcli, name)
    members = vars(thing) if inspect.isclass(thing) and is_ours(thing) else {}
    methods = {
        key: value
        for key, value in members.items()
        if not key.startswith("_")
        and isinstance(value, property | staticmethod | classmethod | type(is_ours))
    }
    assert [] == [key for key in methods if not inspect.getdoc(getattr(thing, key))]


def test_each_name_has_an_example() -> None:
    """The docstring of each public function and class has an example, which the tests run."""
    parser = doctest.DocTestParser()
    described = [name for name in mcli.__all__ if name != "__version__"]
    assert [] == [name for name in described if not parser.get_examples(getattr(mcli, name).__doc__ or "")]


@pytest.mark.parametrize("name", mcli.__all__)
def test_each_public_name_can_be_imported(name: str) -> None:
    """Each public name is there, shown by `dir`, and stays the same object."""
    assert getattr(mcli, name) is getattr(mcli, name)
    assert name in dir(mcli)


def test_a_listing_shows_what_is_public_once() -> None:
    """`dir` has each public name and module once, and nothing that is private."""
    _ = mcli.create_run, mcli.aio, mcli.sdk
    special = {"__all__", "__dir__", "__getattr__", "__name__"}
    listed = [name for name in dir(mcli) if not name.startswith("__")]
    assert sorted({*mcli.__all__, *mcli._MODULES} - {"__version__"}) == listed
    assert special <= set(dir(mcli))


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    """A misspelled name is the error that Python gives."""
    with pytest.raises(AttributeError, match="module 'mcli' has no attribute 'get_rnu'"):
        getattr(mcli, "get_rnu")  # noqa: B009  # to checkers a mistake, as it should be


def test_a_star_import_brings_every_public_name() -> None:
    """`from mcli import *` works."""
    code = "from mcli import *; import mcli; print(set(mcli.__all__) - set(globals()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "set()\n" == done.stdout
