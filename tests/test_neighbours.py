"""Two clients in one environment are told, and the doctor sees what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcli import _neighbours
from mcli.cli import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the other client in the environment."""
    folder = tmp_path / "site-packages"
    (folder / "mosaicml_cli-0.6.30.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(folder))


@pytest.mark.usefixtures("both")
def test_the_other_client_is_warned_of_once() -> None:
    """The warning names it and what mends the environment."""
    _neighbours.warn_of_other_client.cache_clear()
    with pytest.warns(UserWarning, match=r"mosaicml-cli 0\.6\.30 .*pip uninstall -y mosaicml-cli"):
        _neighbours.warn_of_other_client()
    _neighbours.warn_of_other_client()


def test_alone_nothing_is_said() -> None:
    """Warnings are errors here."""
    _neighbours.warn_of_other_client.cache_clear()
    _neighbours.warn_of_other_client()


@pytest.mark.usefixtures("both")
def test_the_doctor_tells_both(capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong has a mark, a way out, and an exit status."""
    assert main(["doctor"]) == 1
    assert "!!  two clients" in capsys.readouterr().out


def test_the_doctor_looks_at_the_endpoint(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endpoint that does not answer and a certificate file that is not there are told."""
    monkeypatch.setenv("MOSAICML_API_ENDPOINT", "http://127.0.0.1:9/graphql")
    monkeypatch.setenv("MOSAICML_API_KEY", "not-a-real-key")
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file.pem")
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "!!  endpoint      http://127.0.0.1:9/graphql cannot be asked" in told
    assert "!!  certificates  SSL_CERT_FILE=/no/such/file.pem" in told
    assert "not-a-real-key" not in told


def test_the_doctor_is_content_without_a_platform(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In LOCAL mode it starts nothing; what need not be there is not wrong."""
    monkeypatch.setenv("MCLI_MODE", "LOCAL")
    assert main(["doctor"]) == 0
    assert "--  platform      does not run" in capsys.readouterr().out
