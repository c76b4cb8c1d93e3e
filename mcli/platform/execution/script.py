"""The bash text of a rank: set-up steps of the integrations, then the command."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from mcli.platform.execution.fixed_paths import Replacement
from mcli.platform.execution.set_up import FUNCTIONS, SetUp, say
from mcli.platform.submission.finetune_checks import executable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["exports", "script"]


_WATCH = """\
mcli_note() { [[ $2 != *e* ]] || printf '%s\\n' "$1" "$3" "$4" "$5" > "$mcli_why"; }
command_not_found_handle() {
    printf '%s\\n' "$1" > "$mcli_why-missing"
    printf '%s: line %s: %s: command not found\\n' "$0" "${BASH_LINENO[0]}" "$1" >&2
    return 127
}
set -E"""
"""Notes for `failures.py` which line ended the command under `set -e`, and which program was not found."""


def script(
    run_input: Mapping[str, Any],
    *,
    workdir: Path,
    mount_map: Mapping[str, str],
    private: Path | None = None,
    why: Path | None = None,
    code: Path | None = None,
) -> str:
    """Return the script that `bash -c` runs on each node of a run.

    `set -e` holds for all of it. Integrations come first, in their order; one that fails prints a line that
    names it and ends the script with status 1. Then the command, in the same shell.

    `mount_map` gives the real folder for each fixed one (`/mnt/config`); it is empty where those exist. The
    ones that the command or an integration names are replaced, and a line in the log says so.

    `private` is a file of variables for the integrations alone, as `exports` writes it: it is removed before
    the command. `why` is a file into which the script writes what failed, `code` the folder with the copies of
    local folders.
    """
    replacement = Replacement(mount_map)
    set_up = SetUp(replacement.path, private, code)
    integrations = enumerate(run_input.get("integrations") or ())
    steps = [line for number, each in integrations for line in set_up.lines(number, each)]
    command = executable(replacement.command(str(run_input.get("command") or "")))
    notices = [say(f"{place} is {mount_map[place]} on this machine.") for place in sorted(replacement.used)]
    forget = [f"rm -f -- {shlex.quote(str(private))}"] if private else []
    body = [*notices, *steps, *forget]
    head = [
        "set -e",
        f"mcli_why={shlex.quote(str(why or '/dev/null'))}",
        f"cd -- {shlex.quote(str(workdir))}",
    ]
    head += [text for sign, text in FUNCTIONS.items() if any(sign in line for line in body)]
    return "\n".join([*head, *body, *_watching([*head, *body]), command]) + "\n"


def _watching(before: list[str]) -> list[str]:
    """Return lines after which the command's first line is its line 1 in what they note."""
    lines = "\n".join([*before, _WATCH]).count("\n") + 2
    return [_WATCH, f"""trap 'mcli_note $? "$-" "$LINENO" {lines} "${{BASH_SOURCE[0]-}}"' ERR"""]


def exports(variables: Mapping[str, str]) -> str:
    """Return lines of bash that set and export variables.

    >>> print(exports({"PIP_INDEX_URL": "https://me:p w@index"}), end="")
    export PIP_INDEX_URL='https://me:p w@index'
    """
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
