"""What editors complete that read the source, as vim and IPython do by way of jedi."""

from __future__ import annotations

from typing import Any

import pytest

jedi = pytest.importorskip("jedi", reason="only `nox -s typing` installs jedi")


def script(code: str) -> Any:
    # In this process: its own would stay behind.
    return jedi.Script(code, environment=jedi.InterpreterEnvironment())


def completed(code: str) -> list[str]:
    return [found.name for found in script(code).complete()]


def test_a_public_name_is_completed() -> None:
    """The names of `mcli` are found although they are loaded when they are first used."""
    assert ["create_run", "create_runs"] == completed("import mcli\nmcli.create_ru")


def test_a_call_for_asyncio_is_completed() -> None:
    """The calls of `mcli.aio` are found, also by way of `mcli`."""
    assert ["get_run", "get_run_logs", "get_runs"] == completed("import mcli\nmcli.aio.get_ru")


def test_an_older_path_is_completed() -> None:
    """A path of older programs has its names."""
    assert ["stop_run", "stop_runs"] == completed("from mcli.api.runs import stop_r")


def test_the_parameters_of_a_call_for_asyncio_are_shown() -> None:
    """The signature of a call has its own parameters, not those of a decorator."""
    (signature,) = script("from mcli import aio\naio.stop_run(").get_signatures()
    assert ["run", "reason", "timeout", "future"] == [parameter.name for parameter in signature.params]
