"""The steps that the integrations of a run add before its command, as lines of bash."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["FUNCTIONS", "SetUp", "say"]

FUNCTIONS = {
    "mcli_say": "mcli_say() { printf '[mcli] %s\\n' \"$1\"; }",
    "mcli_fail": """mcli_fail() { mcli_say "$1 failed" >&2; printf '1\\n%s failed\\n' "$1" > "$mcli_why"; exit 1; }""",
    "git clone": """\
export GIT_TERMINAL_PROMPT=0
export GIT_SSH_COMMAND="${GIT_SSH_COMMAND:-ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new}\"""",
}
"""What a script must begin with when a sign of it stands in its lines."""

_NO_PACKAGES = '[ -n "${MCLI_LOCAL_SKIP_PACKAGES:-}" ]'


@dataclass(frozen=True)
class SetUp:
    """What the steps of a run have in common."""

    real: Callable[[str], str]
    """Makes of a path in a configuration the one that it has on this machine."""
    private: Path | None = None
    """File with variables that the steps may see and the command may not."""

    def lines(self, integration: Mapping[str, Any]) -> Iterator[str]:
        """Yield the lines of one integration; none for those that only set variables."""
        kind, parameters = str(integration["type"]), integration.get("params") or {}
        if kind == "git_repo":
            yield from self._git_repo(parameters)
        elif kind == "pip_packages":
            packages = _words(parameters["packages"])
            options = ["--upgrade"] if _is_true(parameters.get("upgrade")) else []
            yield from self._pip(f"pip_packages {' '.join(packages)}", [*options, *packages])
        elif kind == "apt_packages":
            yield from self._apt(_words(parameters["packages"]))

    def _git_repo(self, parameters: Mapping[str, Any]) -> Iterator[str]:
        repository = str(parameters["gitRepo"]).strip("/")
        name = f"git_repo {repository}"
        folder = _folder(self.real(str(parameters.get("path") or _stem(repository))))
        branch, commit = parameters.get("gitBranch"), parameters.get("gitCommit")
        options = "" if commit or not branch else f" --branch={shlex.quote(str(branch))}"
        clone = f"git clone --quiet{options} -- {shlex.quote(_url(parameters, repository))} {folder}"
        checkout = f" && git -C {folder} checkout --quiet {shlex.quote(str(commit))} --" if commit else ""
        yield self._checked(name, f"{clone}{checkout}")
        if pip := parameters.get("pipInstall"):
            yield from self._pip(f"{name}: pip install {pip}", _words(pip), folder)

    def _pip(self, name: str, arguments: list[str], folder: str | None = None) -> Iterator[str]:
        into = f"cd -- {folder} && " if folder else ""
        install = f"{into}python -m pip install --quiet --disable-pip-version-check {shlex.join(arguments)}"
        yield f"if {_NO_PACKAGES}; then {say(f'skipped: {name}')}; else"
        yield self._checked(name, install)
        yield "fi"

    def _apt(self, packages: list[str]) -> Iterator[str]:
        name = f"apt_packages {' '.join(packages)}"
        install = (
            f"DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes -- {shlex.join(packages)}"
        )
        yield f"if {_NO_PACKAGES}; then {say(f'skipped: {name}')}"
        yield 'elif [ "$(id -u)" != 0 ]; then'
        yield f"{say('Only root can install packages.')}; mcli_fail {shlex.quote(name)}"
        yield "else"
        yield self._checked(name, f"apt-get update --quiet --quiet && {install}")
        yield "fi"

    def _checked(self, name: str, step: str) -> str:
        """Return a step that says its name, runs in a shell of its own with what is private, and must succeed."""
        private = f". {shlex.quote(str(self.private))} && " if self.private else ""
        return f"{say(name)}\n( {private}{step} ) || mcli_fail {shlex.quote(name)}"


def say(text: str) -> str:
    """Return a line that prints a text of the platform into the log."""
    return f"mcli_say {shlex.quote(text)}"


def _stem(repository: str) -> str:
    return repository.rsplit("/", 1)[-1].removesuffix(".git")


def _url(parameters: Mapping[str, Any], repository: str) -> str:
    host = parameters.get("host") or "github.com"
    if _is_true(parameters.get("sshClone", True)):
        return f"git@{host}:{repository}"
    return f"https://{host}/{repository}"


def _is_true(value: object) -> bool:
    """Read a switch that may be a text: `False`, `"False"` and `"0"` are off.

    >>> _is_true("False"), _is_true(None), _is_true("true"), _is_true(True)
    (False, False, True, True)
    """
    return str(value).lower() not in {"false", "0", "no", "none", ""}


def _folder(path: str) -> str:
    """Quote a path, but let the shell expand `~` and variables in it.

    >>> print(_folder("~/my repos/$NAME"))
    "$HOME/my repos/$NAME"
    """
    home = re.sub(r"^~(?=/|$)", "$HOME", path)
    return '"' + re.sub(r'[\\"`]|\$(?![A-Za-z_{])', r"\\\g<0>", home) + '"'


def _words(value: Any) -> list[str]:
    return shlex.split(value) if isinstance(value, str) else [str(word) for word in value]
