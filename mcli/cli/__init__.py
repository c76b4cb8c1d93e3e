"""The command `mcli`: thin, over the public SDK. `mcli --help` lists what it does.

Data goes to stdout, talk to stderr. Exit status: 0 done, 1 the platform refused or the run failed, 2 usage, 3 no
platform runs here, 130 Ctrl-C. Commands are modules by noun, imported when they are used: `mcli version` and `--help`
need no SDK.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

import click

from mcli.cli import console
from mcli.cli.group import Group

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMANDS", "main", "root"]

COMMANDS = {
    "run": ("launch:run", "Launch a run from a YAML file"),
    "get": ("verbs:get", "List runs, clusters, secrets, finetuning runs"),
    "describe": ("verbs:describe", "Show one run, cluster or finetuning run in full"),
    "logs": ("logs:logs", "Print the log of a run"),
    "stop": ("verbs:stop", "Stop runs"),
    "delete": ("verbs:delete", "Delete runs, finetuning runs, secrets"),
    "update": ("verbs:update", "Change the settings of a run"),
    "watchdog": ("runs:watchdog", "Have a run tried again when the system fails"),
    "diff": ("verbs:diff", "Compare the configurations of two runs"),
    "interactive": ("launch:interactive", "Launch a run that waits, to work in"),
    "create": ("verbs:create", "Create secrets"),
    "finetune": ("finetunes:finetune", "Finetune a model"),
    "util": ("clusters:util", "Tell who uses the clusters"),
    "set": ("verbs:set_", "Set the API key, or a feature flag"),
    "unset": ("verbs:unset", "Take a feature flag away"),
    "init": ("account:init", "Set up this machine: the API key"),
    "config": ("account:config", "Show the configuration"),
    "platform": ("platform:platform", "Start, stop and look after the platform on this machine"),
    "doctor": ("doctor:doctor", "Check installation, endpoint, key, and what the platform can use"),
    "completion": ("complete:completion", "Print the completion script for a shell"),
    "version": ("account:version", "Print the version"),
}


@click.group(
    cls=Group,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--verbose", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def root(ctx: click.Context, verbose: bool) -> None:
    """Launch, watch and stop training runs."""
    ctx.obj = {"verbose": verbose}
    ctx.color = console.is_coloured(sys.stdout)  # click itself heeds neither NO_COLOR nor FORCE_COLOR


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit status. An error is one line, never a traceback, but for `--verbose`."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        status = root(list(arguments), prog_name="mcli", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return 130
    except BrokenPipeError:
        _drop_stdout()
        return 141
    except Exception as error:
        if "--verbose" in arguments or not _is_told(error):
            raise
        console.failure(error)
        return 1
    return status if isinstance(status, int) else 0


def _is_told(error: Exception) -> bool:
    """Tell whether the message of an error says all that a person needs."""
    from mcli.exceptions import MCLIException

    return isinstance(error, MCLIException | TimeoutError | ValueError | OSError)


def _drop_stdout() -> None:
    """Send what is still buffered nowhere, e.g. after `mcli logs | head`."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
