"""No frame of a traceback that users get shows a secret or a key, whoever shows its variables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import mcli
from mcli._tracebacks import hide_frames
from tests import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from tests.conftest import Connect

HUSH = "hush-0123456789"
SECRETS: dict[str, mcli.Secret] = {
    "environment": mcli.MCLIEnvVarSecret("a", key="A", value=HUSH),
    "hugging face": mcli.HuggingFaceSecret("a", token=HUSH),
    "file": mcli.MCLIMountedSecret("a", value=HUSH),
    "s3": mcli.MCLIS3Secret("a", config=HUSH, credentials=HUSH),
    "s3 with a wrong profile": mcli.MCLIS3Secret("a", config=HUSH, credentials=HUSH, profile=5),  # type: ignore[arg-type]  # the mistake under test
    "docker": mcli.MCLIDockerRegistrySecret("a", username="u", password=HUSH),
    "docker without a password": mcli.MCLIDockerRegistrySecret("a", username=HUSH),
    "databricks": mcli.MCLIDatabricksSecret("a", host="h", token=HUSH),
    "oci": mcli.MCLIOCISecret("a", config=HUSH, key_file=HUSH),
}
FAILURES: dict[str, Any] = {
    "refused": wire.error(400, "no"),
    "garbage": {"data": {"createSecret": 5}},
    "not JSON": httpx.Response(200, text="no"),
    "lost": httpx.ReadError("reset"),
    "unreachable": httpx.ConnectError("refused"),
}


def frames(error: BaseException | None) -> Iterator[FrameType]:
    """Yield the frames of an error, and of all that caused it, but for those of tests."""
    while error is not None:
        step = error.__traceback__
        while step is not None:
            if not Path(step.tb_frame.f_code.co_filename).is_relative_to(Path(__file__).parent):
                yield step.tb_frame
            step = step.tb_next
        error = error.__cause__ or error.__context__


def leaks(error: BaseException, secret: str = HUSH) -> list[str]:
    """Return the frames whose variables show a secret, as a tool that shows variables would."""
    return [
        f"{frame.f_code.co_qualname if hasattr(frame.f_code, 'co_qualname') else frame.f_code.co_name}: {name}"
        for frame in frames(error)
        for name, value in frame.f_locals.items()
        if secret in repr(value)
    ]


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_a_secret_that_cannot_be_stored_is_not_shown(
    connect: Connect, secret: mcli.Secret, failure: Any
) -> None:
    """Neither the call's frames nor those of libraries beneath it show the value, blocking and future alike."""
    connect(answer=wire.Script(failure))
    for call in (
        mcli.create_secret,
        lambda each, timeout: mcli.create_secret(each, future=True).result(wire.PATIENCE),
    ):
        with pytest.raises(Exception) as failed:
            call(secret, timeout=0.5)
        assert ([], False) == (leaks(failed.value), HUSH in str(failed.value))


def unwritable(home: Path) -> None:
    """Let a folder stand where the configuration file should be."""
    (home / ".mosaic" / "mcli_config").mkdir(parents=True)


KEYS: dict[str, Callable[[], object]] = {
    "set_api_key": lambda: mcli.set_api_key(HUSH),
    "initialize": lambda: mcli.initialize(api_key=HUSH),
    "save_config": lambda: mcli.MCLIConfig(MOSAICML_API_KEY=HUSH).save_config(),
    "save_config of other modes": lambda: mcli.MCLIConfig(mcloud_envs={"DEV": HUSH}).save_config(),
}


@pytest.mark.parametrize("call", KEYS.values(), ids=KEYS)
def test_a_key_that_cannot_be_kept_is_not_shown(isolated: Path, call: Callable[[], object]) -> None:
    """No frame shows a key that could not be written."""
    unwritable(isolated)
    with pytest.raises(mcli.MCLIConfigError) as failed:
        call()
    assert [] == leaks(failed.value)


def test_a_key_that_cannot_be_one_is_not_shown() -> None:
    """A key with a line break is refused without being shown."""
    with pytest.raises(mcli.MCLIConfigError) as failed:
        mcli.set_api_key(f"{HUSH}\nx")
    assert ([], False) == (leaks(failed.value), HUSH in str(failed.value))


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_the_key_of_a_call_is_not_shown(connect: Connect, failure: Any) -> None:
    """No frame of a call that fails shows the key that it is sent with."""
    connect(answer=wire.Script(failure))
    with pytest.raises(Exception) as failed:
        mcli.delete_run("a", timeout=0.5)
    assert [] == leaks(failed.value, wire.KEY)


def test_a_bad_key_of_the_environment_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of the environment that no header can carry is refused without being shown."""
    monkeypatch.setitem(os.environ, "MOSAICML_API_KEY", f"{HUSH}\nx")
    with pytest.raises(mcli.MCLIConfigError) as failed:
        mcli.get_runs()
    assert [] == leaks(failed.value)


def test_hidden_frames_are_gone_from_all_causes() -> None:
    """Causes, contexts and the members of groups lose their frames too; what they say stays."""

    def fail() -> None:
        try:
            {}["inner"]
        except KeyError as inner:
            raise ExceptionGroup("group", [ValueError("member"), inner]) from inner

    with pytest.raises(ExceptionGroup) as failed:
        fail()
    hidden = hide_frames(failed.value)
    told = (hidden.__cause__, hidden.__traceback__, *[each.__traceback__ for each in hidden.exceptions])
    assert (KeyError, None, None, None) == (type(told[0]), *told[1:])
