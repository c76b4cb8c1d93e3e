"""The steps that the integrations of a run add before its command, as lines of bash."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcli.platform.values import is_true

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

    code: Path | None = None
    """Where the copies of the run's local folders are, each by the number of its integration."""

    def lines(self, number: int, integration: Mapping[str, Any]) -> Iterator[str]:
        """Yield the lines of one integration; none for those that only set variables."""
        kind, parameters = str(integration["type"]), integration.get("params") or {}
        if kind == "git_repo":
            yield from self._git_repo(parameters)
        elif kind == "local_dir":
            yield self._local_dir(number, str(parameters["path"]))
        elif kind == "pip_packages":
            packages = _words(parameters["packages"])
            options = ["--upgrade"] if is_true(parameters.get("upgrade")) else []
            yield from self._pip(f"pip_packages {' '.join(packages)}", [*options, *packages])
        elif kind == "apt_packages":
            yield from self._apt(_words(parameters["packages"]))

    def _local_dir(self, number: int, path: str) -> str:
        copy, folder = shlex.quote(f"{self.code}/{number}/."), shlex.quote(f"./{_stem(path) or 'code'}")
        return self._checked(f"local_dir {path}", f"mkdir -p {folder} && cp -RPp {copy} {folder}/")

    def _git_repo(self, parameters: Mapping[str, Any]) -> Iterator[str]:
        repository = _repository(str(parameters["gitRepo"]))
        name = f"git_repo {_without_password(repository)}"
        folder = _folder(self.real(str(parameters.get("path") or _stem(repository))))
        branch, commit = parameters.get("gitBranch"), parameters.get("gitCommit")
        options = "" if commit or not branch else f" --branch={shlex.quote(str(branch))}"
        clone = f"git clone --quiet --no-hardlinks{options} -- {_source(parameters, repository)} {folder}"
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


def _repository(given: str) -> str:
    """Return a repository as it was given, without slashes around a name like `org/repository`.

    >>> _repository("org/repo/"), _repository("/home/me/repo/"), _repository("file:///srv/repo.git")
    ('org/repo', '/home/me/repo', 'file:///srv/repo.git')
    """
    return given.rstrip("/") if _is_address(given) else given.strip("/")


def _is_address(repository: str) -> bool:
    """Tell a path of this machine, or a full URL, from a name on a host."""
    return bool(re.match(r"/[^/]|~|\.{1,2}(/|$)|[a-z][a-z0-9+.-]*://|[\w.-]+@[\w.-]+:", repository))


def _without_password(repository: str) -> str:
    return re.sub(r"://[^/@]*@", "://", repository)


def _stem(repository: str) -> str:
    """Return the name of the folder that a repository gets.

    >>> _stem("org/repo.git"), _stem("git@host:repo"), _stem("/home/me/repo/.git"), _stem("/home/me/a b/")
    ('repo', 'repo', 'repo', 'a b')
    """
    path = repository.rstrip("/").removesuffix("/.git").removesuffix(".git")
    return re.split(r"[/:]", path)[-1]


def _source(parameters: Mapping[str, Any], repository: str) -> str:
    """Return from where a repository is cloned, quoted."""
    host = parameters.get("host") or "github.com"
    if repository.startswith("~"):
        return _folder(repository)
    if _is_address(repository):
        return shlex.quote(repository)
    if is_true(parameters.get("sshClone", True)):
        return shlex.quote(f"git@{host}:{repository}")
    return shlex.quote(f"https://{host}/{repository}")


def _folder(path: str) -> str:
    """Quote a path, but let the shell expand `~` and variables in it.

    >>> print(_folder("~/my repos/$NAME"))
    "$HOME/my repos/$NAME"
    """
    home = re.sub(r"^~(?=/|$)", "$HOME", path)
    return '"' + re.sub(r'[\\"`]|\$(?![A-Za-z_{])', r"\\\g<0>", home) + '"'


def _words(value: Any) -> list[str]:
    return shlex.split(value) if isinstance(value, str) else [str(word) for word in value]
