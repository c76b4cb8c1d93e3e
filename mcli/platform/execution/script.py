"""The bash text of a rank: set-up steps of the integrations, then the command."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["script"]

_SAY = """\
mcli_say() { printf '[mcli] %s\\n' "$1"; }
mcli_fail() { mcli_say "$1 failed" >&2; exit 1; }"""

_VENV = """\
mcli_site() { "$1" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }
mcli_venv() {
    test -x "$1/bin/python" || {
        python3 -m venv "$1" &&
        printf 'import site; site.addsitedir("%s")\\n' "$(mcli_site python3)" \\
            > "$(mcli_site "$1/bin/python")/_mcli_host.pth"
    } && export VIRTUAL_ENV="$1" PATH="$1/bin:$PATH"
}"""
"""Packages go to an environment of the resumption's own, which sees those of the host beneath its own."""

_GIT = """\
export GIT_TERMINAL_PROMPT=0
export GIT_SSH_COMMAND="${GIT_SSH_COMMAND:-ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new}\""""

_NO_PACKAGES = '[ -n "${MCLI_LOCAL_SKIP_PACKAGES:-}" ]'


def script(run_input: Mapping[str, Any], *, workdir: Path, mount_map: Mapping[str, str]) -> str:
    """Return the script that `bash -c` runs on each node of a run.

    `set -e` holds for all of it. Integrations come first, in their order; one that fails prints a line that
    names it and ends the script with status 1. Then the command, in the same shell.

    `mount_map` gives the real folder for each fixed one (`/mnt/config`); it is empty where those exist. The
    ones that the command or an integration names are replaced, and a line in the log says so.
    """
    integrations = run_input.get("integrations") or ()
    used: set[str] = set()
    steps = [line for integration in integrations for line in _step(integration, workdir, mount_map, used)]
    command = _remount(str(run_input.get("command") or ""), mount_map, used)
    notices = [_say(f"{place} is {mount_map[place]} on this machine.") for place in sorted(used)]
    head = ["set -e", f"cd -- {shlex.quote(str(workdir))}", *_functions([*notices, *steps])]
    return "\n".join([*head, *notices, *steps, command]) + "\n"


def _functions(lines: Iterable[str]) -> Iterator[str]:
    """Yield the functions that the lines use."""
    text = "\n".join(lines)
    for sign, definition in {"mcli_say": _SAY, "git clone": _GIT, "mcli_venv": _VENV}.items():
        if sign in text:
            yield definition


def _parameters(integration: Mapping[str, Any]) -> Mapping[str, Any]:
    return integration.get("params") or {}


def _step(
    integration: Mapping[str, Any], workdir: Path, mount_map: Mapping[str, str], used: set[str]
) -> Iterator[str]:
    kind, parameters = str(integration["type"]), _parameters(integration)
    if kind == "git_repo":
        yield from _git_repo(parameters, workdir, mount_map, used)
    elif kind == "pip_packages":
        packages = _words(parameters["packages"])
        options = ["--upgrade"] if _is_true(parameters.get("upgrade")) else []
        yield from _pip(f"pip_packages {' '.join(packages)}", [*options, *packages], workdir)
    elif kind == "apt_packages":
        yield from _apt(_words(parameters["packages"]))


def _git_repo(
    parameters: Mapping[str, Any], workdir: Path, mount_map: Mapping[str, str], used: set[str]
) -> Iterator[str]:
    repository = str(parameters["gitRepo"]).strip("/")
    name = f"git_repo {repository}"
    folder = _folder(_remount(str(parameters.get("path") or _stem(repository)), mount_map, used))
    branch, commit = parameters.get("gitBranch"), parameters.get("gitCommit")
    options = "" if commit or not branch else f" --branch={shlex.quote(str(branch))}"
    clone = f"git clone --quiet{options} -- {shlex.quote(_url(parameters, repository))} {folder}"
    checkout = f" && git -C {folder} checkout --quiet {shlex.quote(str(commit))} --" if commit else ""
    yield _checked(name, f"{clone}{checkout}")
    if pip := parameters.get("pipInstall"):
        yield from _pip(f"{name}: pip install {pip}", _words(pip), workdir, folder)


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


def _pip(name: str, arguments: list[str], workdir: Path, folder: str | None = None) -> Iterator[str]:
    venv = shlex.quote(f"{workdir}/.venv")
    into = f"cd -- {folder} && " if folder else ""
    install = f"( {into}python -m pip install --quiet --disable-pip-version-check {shlex.join(arguments)} )"
    yield f"if {_NO_PACKAGES}; then {_say(f'skipped: {name}')}; else"
    yield _checked(name, f"mcli_venv {venv} && {install}")
    yield "fi"


def _apt(packages: list[str]) -> Iterator[str]:
    name = f"apt_packages {' '.join(packages)}"
    install = (
        f"DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes -- {shlex.join(packages)}"
    )
    yield f"if {_NO_PACKAGES}; then {_say(f'skipped: {name}')}"
    yield 'elif [ "$(id -u)" != 0 ]; then'
    yield f"{_say('Only root can install packages.')}; mcli_fail {shlex.quote(name)}"
    yield "else"
    yield _checked(name, f"apt-get update --quiet --quiet && {install}")
    yield "fi"


def _words(value: Any) -> list[str]:
    return shlex.split(value) if isinstance(value, str) else [str(word) for word in value]


def _checked(name: str, step: str) -> str:
    return f"{_say(name)}\n{{ {step}; }} || mcli_fail {shlex.quote(name)}"


def _say(text: str) -> str:
    return f"mcli_say {shlex.quote(text)}"


def _remount(text: str, mount_map: Mapping[str, str], used: set[str]) -> str:
    """Replace the fixed folders in a text by the real ones, and note in `used` which were there."""
    if not mount_map:
        return text

    def real(match: re.Match[str]) -> str:
        used.add(match[0])
        return mount_map[match[0]]

    longest_first = sorted(mount_map, key=len, reverse=True)
    places = "|".join(re.escape(place) for place in longest_first)
    return re.sub(rf"(?<![\w./~-])(?:{places})(?![\w-])", real, text)
