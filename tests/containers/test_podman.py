"""Runs in their images, by podman."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import mcli
from mcli.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE = "localhost/mcli/base:1"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mcli-test-images"
NEEDED = ("podman", "runc", "debootstrap", "catatonit")


def _missing() -> str | None:
    if os.environ.get("MCLI_TEST_CONTAINERS") != "1":
        return "`nox -s containers` plays these"
    if missing := [
        each for each in NEEDED if not shutil.which(each) and not Path("/usr/libexec/podman", each).exists()
    ]:
        return f"not installed: {', '.join(missing)}"
    return None if os.getuid() == 0 else "only root can make the image"


pytestmark = pytest.mark.skipif(_missing() is not None, reason=_missing() or "")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Make a store of images of its own, with one that has bash and Python."""
    base, store = CACHE / "base.tar", tmp_path_factory.mktemp("images")
    if not base.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        root = store / "root"
        subprocess.run(
            ["debootstrap", "--variant=minbase", "--include=python3-minimal", "bookworm", root], check=True
        )
        subprocess.run(["tar", "-C", root, "-cf", base.with_suffix(".new"), "."], check=True)
        base.with_suffix(".new").rename(base)
        shutil.rmtree(root)
    paths = {"graphroot": str(store / "store"), "runroot": str(store / "run")}
    lines = "".join(f'{name} = "{path}"\n' for name, path in paths.items())
    (store / "storage.conf").write_text(f'[storage]\ndriver = "overlay"\n{lines}')
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # a machine without all capabilities gives no more
    (store / "containers.conf").write_text(
        f'[containers]\ndefault_ulimits = ["nofile={files}:{files}", "nproc=4096:4096"]\n'
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\n'
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTAINERS_STORAGE_CONF", str(store / "storage.conf"))
        patch.setenv("CONTAINERS_CONF", str(store / "containers.conf"))
        subprocess.run(["podman", "import", "--quiet", base, IMAGE], check=True, capture_output=True)
        yield IMAGE
        subprocess.run(["podman", "system", "reset", "--force"], check=False, capture_output=True)


@pytest.fixture(scope="module")
def platform(image: str) -> Iterator[Platform]:
    with (
        Platform(containers="podman", grace=2) as platform,
        mcli.MAPIConnection(platform.endpoint, platform.api_key),
    ):
        mcli.create_secret(mcli.MCLIMountedSecret("a-file", value="hush"))
        yield platform


def create(command: str, **more: object) -> mcli.Run:
    given = {"name": "boxed", "image": IMAGE, "compute": {"gpus": 0}, **more}
    return mcli.create_run(mcli.RunConfig(command=command, **given))  # type: ignore[arg-type]


def finish(command: str, **more: object) -> tuple[mcli.Run, list[str]]:
    run = mcli.wait_for_run_status(create(command, **more), "completed", timeout=120)
    return run, mcli.get_run_logs(run).splitlines()[1:]


def containers() -> list[str]:
    done = subprocess.run(["podman", "ps", "--all", "--quiet"], capture_output=True, text=True, check=True)
    return done.stdout.split()


def until(condition: object) -> None:
    while not condition():  # type: ignore[operator]
        time.sleep(0.05)


@pytest.mark.usefixtures("platform")
def test_the_command_runs_in_the_image() -> None:
    """A command sees the image's files, and the fixed folders of its run."""
    look = [
        "grep ^ID= /etc/os-release",
        "pwd",
        "cat /mnt/config/parameters.yaml",
        "cat /secrets/a-file/secret",
    ]
    _, log = finish("\n".join([*look, "echo", "echo $WORLD_SIZE"]), parameters={"lr": 1})
    assert ["ID=debian", "/workspace", "lr: 1", "hush", "1"] == log


@pytest.mark.usefixtures("platform")
def test_variables_are_kept_verbatim() -> None:
    """Also those of many lines, and those that podman itself would heed."""
    variables = {
        "LINES_": "a\nb 'c'",
        "HOME": "/tmp",
        "PATH": "/usr/bin:/bin:/x",
        "XDG_RUNTIME_DIR": "/nothing",
    }
    _, log = finish('printf "%s\\n" "$LINES_" "$HOME" "$PATH" "$XDG_RUNTIME_DIR"', env_variables=variables)
    assert ["a", "b 'c'", "/tmp", "/usr/bin:/bin:/x", "/nothing"] == log


def test_what_it_makes_stays(platform: Platform) -> None:
    """Files in /workspace are in the run's working folder afterwards; nothing secret stays, and no container."""
    run, _ = finish("echo 1 > checkpoint")
    folder = platform.data_dir / "runs" / run.name / "0" / "0"
    until(lambda: not (folder / "container.json").exists())
    assert "1\n" == (folder / "work" / "checkpoint").read_text()
    assert [] == [
        each for each in ("variables", "config.json", "token", "secrets") if (folder / each).exists()
    ]
    assert [] == containers()


@pytest.mark.usefixtures("platform")
@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("exit 7", "Exit code: 7. Reason: Error"),
        ("true\nfalse", "Exit code: 1. Reason: Error (line 2: false)"),
        ("no-such-program", "Exit code: 127. Reason: Error (command not found: no-such-program)"),
        ("kill -KILL $$", "Exit code: 137. Reason: Error (killed by SIGKILL)"),
    ],
)
def test_exit_codes_are_as_outside(command: str, reason: str) -> None:
    """Why a command failed is told as on the machine itself."""
    run, _ = finish(command)
    assert (mcli.RunStatus.FAILED, reason) == (run.status, run.reason)


@pytest.mark.usefixtures("platform")
def test_a_stop_is_sigterm_and_then_sigkill() -> None:
    """A container's command gets SIGTERM, and what ignores it is killed after the grace."""
    for trap, last in (("'echo trapped; exit 5'", "trapped"), ("''", "up")):
        lines, run = [], create(f"trap {trap} TERM; echo up; while :; do sleep 0.05; done")
        for line in mcli.follow_run_logs(run, timeout=60):
            lines.append(line.strip())
            if line == "up\n":
                mcli.stop_run(run, timeout=30)
        assert last in lines
        assert mcli.RunStatus.STOPPED is mcli.get_run(run).status
    until(lambda: not containers())


@pytest.mark.usefixtures("platform")
def test_an_image_that_is_not_to_be_had() -> None:
    """Nothing starts, the reason begins as old clients know it, and the log has what podman said."""
    run, log = finish("echo never", image="localhost:1/absent:1")
    assert mcli.RunStatus.FAILED is run.status
    assert (run.reason or "").startswith("FailedImagePull: ")
    assert "never" not in "\n".join(log)
    assert "localhost:1/absent:1" in "\n".join(log)


def test_nothing_is_left_when_the_supervisor_dies(platform: Platform) -> None:
    """With the supervisor killed, the container and its processes end too."""
    run = create("echo up; sleep 600")
    for line in mcli.follow_run_logs(run, timeout=60):
        if line == "up\n":
            note = json.loads(
                (platform.data_dir / "runs" / run.name / "0" / "0" / "process.json").read_text()
            )
            os.kill(note["supervisor"][0], 9)
    assert mcli.RunStatus.FAILED is mcli.wait_for_run_status(run, "failed", timeout=60).status
    until(lambda: not containers())


@pytest.mark.usefixtures("platform")
def test_local_code_is_there() -> None:
    """Folders of this machine are found below /workspace in the container too."""
    step = {"integration_type": "local_dir", "path": str(Path(__file__).parent)}
    _, log = finish("ls containers/test_podman.py", integrations=[step])
    assert "containers/test_podman.py" == log[-1]
