"""Images of runs, in containers of podman, docker or apptainer: found or pulled, run, and removed.

The container program takes the place of the command below the supervisor, so signals, exit status and log are as
outside. A container is named for its rank; what is left of it when something was killed is removed by that name.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcli.platform.execution.engine import ENGINE_VARIABLES
from mcli.platform.execution.supervisor import MARK

if TYPE_CHECKING:
    from mcli.platform.state.vault import StoredSecret

__all__ = ["KINDS", "Containers", "ImagePullError", "choose", "remove"]

KINDS = ("podman", "docker", "apptainer")
_PROBES = {"podman": ["info"], "docker": ["info"], "apptainer": ["version"]}
_PROBE_SECONDS = 60
_REMOVE_SECONDS = 60
_DOCKER_HUB = ("https://index.docker.io/v1/", "index.docker.io", "docker.io")
_OF_PROGRAM = re.compile(
    r"PATH|HOME|TMPDIR|XDG_\w+|LD_\w+|DBUS_\w+|CONTAINERS?_\w+|DOCKER_\w+|STORAGE_\w+|_?APPTAINER\w*"
)
"""Variables that the container program itself heeds: a run's own go to the container by a file."""


class ImagePullError(OSError):
    """An image is not to be had; the text is the reason of the run."""


@dataclass(frozen=True)
class Containers:
    """A container program of this machine, and how it is called."""

    kind: str
    program: str
    options: tuple[str, ...] = ()
    """Further options of its `run`."""

    def pull(self, image: str, secrets: Iterable[StoredSecret], folder: Path, log: Path) -> str:
        """Make sure that an image is here, and return what it is called; what the program says goes into the log.

        Raises:
            ImagePullError: It is not to be had.
        """
        if self.kind == "apptainer":
            return self._pull_file(image, secrets, folder, log)
        if self._call(["image", "inspect", image], log=None) == 0:
            return image
        name = qualified(image)
        _write_private(folder / "config.json", json.dumps(logins(secrets)))
        given = [f"--authfile={folder}/config.json"] if self.kind == "podman" else []
        config = [f"--config={folder}"] if self.kind == "docker" else []
        try:
            if self._call([*config, "pull", *given, name], log=log):
                raise ImagePullError(f"FailedImagePull: {_last_line(log)}")
        finally:
            (folder / "config.json").unlink(missing_ok=True)
        return name

    def _pull_file(self, image: str, secrets: Iterable[StoredSecret], folder: Path, log: Path) -> str:
        file = folder.parents[3] / "images" / f"{re.sub(r'[^A-Za-z0-9.]', '_', qualified(image))}.sif"
        if not file.exists():
            file.parent.mkdir(mode=0o700, exist_ok=True)
            draft = file.with_suffix(".new")
            if self._call(
                ["pull", "--force", str(draft), f"docker://{qualified(image)}"],
                log=log,
                login=_login(secrets),
            ):
                raise ImagePullError(f"FailedImagePull: {_last_line(log)}")
            draft.replace(file)
        return str(file)

    def _call(
        self, arguments: Sequence[str], *, log: Path | None, login: Mapping[str, str] | None = None
    ) -> int:
        with (log or Path(os.devnull)).open("ab") as output:
            return subprocess.run(
                [self.program, *arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env={**os.environ, **(login or {})}, check=False,
            ).returncode  # fmt: skip

    def command(
        self,
        image: str,
        arguments: Sequence[str],
        *,
        name: str,
        environment: Mapping[str, str],
        mounts: Mapping[str, tuple[str, bool]],
        folder: Path,
    ) -> tuple[list[str], dict[str, str]]:
        """Return the command line that runs bash in a container, and the environment of the program.

        `mounts` has by its path in the container each folder of this machine, and whether it is read-only.
        """
        own = {key: value for key, value in environment.items() if _OF_PROGRAM.fullmatch(key)}
        others = {key: value for key, value in environment.items() if key not in own}
        file = folder / "variables"
        _write_private(file, "".join(f"{key}={value}\n" for key, value in own.items() if "\n" not in value))
        host = {key: value for key, value in os.environ.items() if _OF_PROGRAM.fullmatch(key)}
        if self.kind == "apptainer":
            binds = [
                f"--bind={real}:{place}{':ro' if fixed else ''}" for place, (real, fixed) in mounts.items()
            ]
            gpus = ["--nv"] if shutil.which("nvidia-smi") else []
            line = [
                self.program,
                "exec",
                "--cleanenv",
                "--no-home",
                *gpus,
                *binds,
                f"--env-file={file}",
                "--pwd=/workspace",
            ]
            given = {f"APPTAINERENV_{key}": value for key, value in others.items()}
            return [*line, *self.options, image, "bash", *arguments], {**host, **given}
        names = sorted({*others, *ENGINE_VARIABLES, MARK})
        line = [
            self.program, "run", "--rm", "--init", f"--name={name}", "--pull=never", "--network=host", "--ipc=host",
            "--log-driver=none", *self._gpus(), *_volumes(mounts), "--workdir=/workspace", f"--env-file={file}",
            *(f"--env={each}" for each in names), *self.options, "--entrypoint=bash", image, *arguments,
        ]  # fmt: skip
        return line, {**others, **host}

    def _gpus(self) -> list[str]:
        if not shutil.which("nvidia-smi"):
            return []
        return ["--device=nvidia.com/gpu=all"] if self.kind == "podman" else ["--gpus=all"]

    def remember(self, file: Path, name: str) -> None:
        """Note in a file how a container is removed, whoever does it."""
        if self.kind != "apptainer":  # its container is the command itself
            ignore = ["-t", "0", "--ignore"] if self.kind == "podman" else []
            _write_private(file, json.dumps([self.program, "rm", "-f", *ignore, name]))


def remove(file: Path) -> None:
    """Remove the container of a rank, if it has one and something of it is left."""
    try:
        line = json.loads(file.read_text())
    except FileNotFoundError:
        return
    try:
        subprocess.run(
            line, capture_output=True, stdin=subprocess.DEVNULL, timeout=_REMOVE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return  # it is tried again at the next start
    file.unlink(missing_ok=True)


def choose(wanted: str, options: Iterable[str] = ()) -> Containers | None:
    """Return the container program that runs use: of this kind, or with `auto` the first that works; None for `none`.

    Raises:
        OSError: It does not work here.
    """
    if wanted == "none":
        return None
    problems = []
    for kind in KINDS if wanted == "auto" else (wanted,):
        program = shutil.which(kind)
        problem = f"{kind} is not installed" if program is None else _problem(kind, program)
        if program is not None and problem is None:
            return Containers(kind, program, tuple(options))
        problems.append(f"{problem}")
    if wanted == "auto":
        return None
    raise OSError(f"Runs cannot have containers: {'; '.join(problems)}.")


def _problem(kind: str, program: str) -> str | None:
    try:
        done = subprocess.run(
            [program, *_PROBES[kind]], capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{kind}: {error}"
    if done.returncode == 0:
        return None
    return f"{kind}: {(done.stderr.strip().splitlines() or ['it does not work'])[-1]}"


def qualified(image: str) -> str:
    """Return the name of an image with its registry.

    >>> qualified("python:3.11"), qualified("mosaicml/pytorch"), qualified("ghcr.io/a/b")
    ('docker.io/library/python:3.11', 'docker.io/mosaicml/pytorch', 'ghcr.io/a/b')
    """
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"docker.io/{image}" if slash else f"docker.io/library/{image}"


def logins(secrets: Iterable[StoredSecret]) -> dict[str, Any]:
    """Return docker secrets in the form of docker's configuration file."""
    found: dict[str, dict[str, str]] = {}
    for value in _registries(secrets):
        server = str(value.get("server") or _DOCKER_HUB[0])
        auth = {"auth": base64.b64encode(f"{value['username']}:{value['password']}".encode()).decode()}
        found |= dict.fromkeys(
            _DOCKER_HUB if _host(server) in map(_host, _DOCKER_HUB) else [_host(server)], auth
        )
    return {"auths": found}


def _host(server: str) -> str:
    return re.sub(r"^https?://|/v\d+/?$|/$", "", server)


def _registries(secrets: Iterable[StoredSecret]) -> Iterable[Mapping[str, Any]]:
    return [
        each.value for each in secrets if each.type == "DOCKER_REGISTRY" and isinstance(each.value, Mapping)
    ]


def _login(secrets: Iterable[StoredSecret]) -> dict[str, str]:
    for value in _registries(secrets):
        return {
            "APPTAINER_DOCKER_USERNAME": str(value["username"]),
            "APPTAINER_DOCKER_PASSWORD": str(value["password"]),
        }
    return {}


def _volumes(mounts: Mapping[str, tuple[str, bool]]) -> list[str]:
    return [
        f"--mount=type=bind,source={real},target={place}{',readonly' if fixed else ''}"
        for place, (real, fixed) in mounts.items()
    ]


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else "the image cannot be pulled"


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
