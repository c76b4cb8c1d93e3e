"""Why a command failed: what its script notes, and what is made of it."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from mcli.platform.execution.engine import Exit
from mcli.platform.execution.failures import explain
from mcli.platform.execution.folders import NodeFolder
from mcli.platform.execution.script import script
from mcli.platform.state.events import exit_reason

if TYPE_CHECKING:
    from pathlib import Path

    from tests.platform.caller import Caller


def why(folder: Path, command: str, *integrations: dict[str, Any]) -> str:
    """Run a command and return the reason that its node has."""
    node = NodeFolder(folder)
    run_input = {"command": command, "integrations": integrations}
    text = script(run_input, workdir=folder, mount_map={}, why=node.why)
    environment = {**os.environ, "MCLI_LOCAL_SKIP_PACKAGES": "1"}
    done = subprocess.run(
        ["bash", "-c", text], env=environment, capture_output=True, cwd=folder, check=False, timeout=60
    )
    code = done.returncode
    end = Exit(code if code >= 0 else 128 - code, signal=-code if code < 0 else None)
    return exit_reason(end.code, explain(node, end, command))


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("exit 7", "Exit code: 7. Reason: Error"),
        ("kill -KILL $$", "Exit code: 137. Reason: Error (killed by SIGKILL)"),
        ("kill -SEGV $$", "Exit code: 139. Reason: Error (killed by SIGSEGV)"),
        ("bash -c 'kill -KILL $$'; echo", "Exit code: 137. Reason: Error (killed by SIGKILL)"),
        ("exit 137", "Exit code: 137. Reason: Error"),
        ("no-such-program --x", "Exit code: 127. Reason: Error (command not found: no-such-program)"),
        ("true | no-such-program", "Exit code: 127. Reason: Error (command not found: no-such-program)"),
        ("if absent; then :; fi 2> /dev/null\nfalse", "Exit code: 1. Reason: Error (line 2: false)"),
        ("cd /\n\n  (exit 7)  # why\necho", "Exit code: 7. Reason: Error (line 3: (exit 7)  # why)"),
        ("f() {\n  false\n}\nf", "Exit code: 1. Reason: Error (line 2: false)"),
        ("set +e; false; exit 3", "Exit code: 3. Reason: Error"),
        ("false || true; set +e; (exit 4)", "Exit code: 4. Reason: Error"),
        ("echo false > part.sh; . ./part.sh", "Exit code: 1. Reason: Error (line 1 of ./part.sh)"),
        ("env no-such-program", "Exit code: 127. Reason: Error (line 1: env no-such-program)"),
        ("trap 'exit 9' EXIT; false", "Exit code: 9. Reason: Error"),
    ],
)
def test_reasons(tmp_path: Path, command: str, reason: str) -> None:
    """A reason has its known form, and in brackets what is known beyond the number."""
    assert reason == why(tmp_path, command)


def test_a_step_before_the_command_is_named(tmp_path: Path) -> None:
    """When an integration fails, the reason says which."""
    step = {"type": "git_repo", "params": {"gitRepo": "a/b", "host": "localhost:1", "sshClone": False}}
    assert "Exit code: 1. Reason: Error (git_repo a/b failed)" == why(tmp_path, "true", step)


def test_lines_are_those_of_the_command(tmp_path: Path) -> None:
    """Steps before the command do not count."""
    steps = [{"type": "pip_packages", "params": {"packages": ["--version"]}}] * 3
    assert "Exit code: 1. Reason: Error (line 2: false)" == why(tmp_path, "true\nfalse\ntrue", *steps)


def test_what_is_not_found_is_said_as_bash_says_it(tmp_path: Path) -> None:
    """The line in the log is that of a shell without notes."""
    text = script({"command": "no-such-program"}, workdir=tmp_path, mount_map={})
    bare = subprocess.run(
        ["bash", "-c", "\n" * (text.count("\n") - 1) + "no-such-program"], capture_output=True, check=False
    )
    assert bare.stderr == subprocess.run(["bash", "-c", text], capture_output=True, check=False).stderr


def test_memory_that_ran_out_is_told() -> None:
    """What the kernel killed for want of memory has the known word."""
    assert "Exit code: 137. Reason: OOMKilled" == exit_reason(137, "killed by SIGKILL", out_of_memory=True)


def test_run_and_node_tell_it(caller: Caller) -> None:
    """A run's reason is that of its first failed node."""
    run = caller.finish("echo\nls /nothing/here")
    reason = "Exit code: 2. Reason: Error (line 2: ls /nothing/here)"
    assert (reason, reason) == (run["reason"], run["details"]["nodes"][0]["reason"])


def test_long_commands_have_lines_too(caller: Caller) -> None:
    """Also a command that is too long for an argument, and so stands in a file, tells its line."""
    run = caller.finish(f"# {'x' * 150_000}\nfalse")
    assert "Exit code: 1. Reason: Error (line 2: false)" == run["reason"]
