"""Change single operators, numbers and branches of the pure parts, and list the changes that no test notices.

`nox -s mutants` runs this over all modules, or over those that are named after `--`. It needs cosmic-ray, works on a
copy, and fails where a mutant survives that `explained.toml` beside this file does not explain.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

from tests.mutants.planted import copy_project

MODULES = {
    # values
    "mcli/status.py": "tests/test_status.py tests/properties/test_statuses.py tests/properties/test_values.py",
    "mcli/exceptions.py": "tests/test_exceptions.py tests/properties/test_values.py",
    "mcli/_json.py": "tests/properties/test_values.py tests/properties/test_round_trips.py mcli/_json.py",
    "mcli/_spelling.py": "tests/properties/test_values.py mcli/_spelling.py",
    # configuration
    "mcli/_run_names.py": "tests/properties/test_names.py tests/test_run_config.py",
    "mcli/_run_input.py": "tests/test_run_config.py tests/properties/test_values.py",
    "mcli/_run_sections.py": "tests/test_run_config.py tests/properties/test_values.py mcli/_run_sections.py",
    "mcli/_run_problems.py": "tests/test_run_problems.py tests/test_run_config.py",
    "mcli/_problems.py": "tests/test_run_problems.py tests/test_run_config.py",
    "mcli/_config_file.py": "tests/test_config_file.py tests/test_config.py tests/properties/test_values.py",
    # decisions of the transport
    "mcli/_core/retry.py": "tests/test_retry.py tests/properties/test_retry.py mcli/_core/retry.py",
    "mcli/_core/answers.py": "tests/test_answers.py tests/properties/test_operations.py",
    # logs
    "mcli/_log_text.py": "tests/test_log_text.py tests/properties/test_logs.py",
    # scheduling
    "mcli/platform/scheduling/scheduler.py": "tests/platform/test_scheduler.py",
    "mcli/platform/scheduling/capacity.py": "tests/platform/test_capacity.py tests/platform/test_scheduler.py",
    "mcli/platform/execution/outcome.py": "tests/platform/test_outcome.py mcli/platform/execution/outcome.py",
}
"""What is changed, and the tests that should notice."""

OPERATORS_LEFT_OUT = [
    "core/ReplaceBinaryOperator_BitOr_.*",  # in annotations, which are not executed, far more often than elsewhere
    "core/ReplaceComparisonOperator_Is_Eq",  # the same for the members of enums
    "core/ReplaceComparisonOperator_IsNot_NotEq",
    "core/ReplaceComparisonOperator_(?!Is).*_Is(Not)?$",  # identity of small numbers: an accident, and ruff's F632
]

MEMORY = 4 << 30
"""Bytes of address space that tests may use."""

CONFIG = """
[cosmic-ray]
module-path = "{module}"
timeout = 20.0
excluded-modules = []
test-command = "{command}"
[cosmic-ray.distributor]
name = "local"
[cosmic-ray.filters.operators-filter]
exclude-operators = {left_out}
"""


class Survivor(NamedTuple):
    """A change that no test noticed."""

    module: str
    line: str
    changed: str

    def __str__(self) -> str:
        return f"{self.module}\n    - {self.line}\n    + {self.changed}"


def main(modules: list[str]) -> int:
    """Look for survivors, and return the exit status."""
    known = tomllib.loads(Path(__file__).with_name("explained.toml").read_text("utf-8"))["survivor"]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))  # of a mutant that never ends, above all
    explained = {(each["module"], each["line"], each["changed"]) for each in known}
    unexplained: list[Survivor] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        longest_first = sorted(modules or MODULES, key=lambda module: -Path(module).stat().st_size)
        tried = {pool.submit(mutate, module): module for module in longest_first}
        for done in as_completed(tried):
            count, survivors = done.result()
            new = [each for each in survivors if not explained & {tuple(each), ("*", *each[1:])}]
            unexplained += new
            print(f"{tried[done]}: {count} mutants, {len(survivors)} survived, {len(new)} unexplained")
            print(*new, sep="\n", end="\n" if new else "", flush=True)
    return int(bool(unexplained))


def mutate(module: str) -> tuple[int, list[Survivor]]:
    """Return how many mutants of a module were tried, and which survived."""
    with tempfile.TemporaryDirectory(prefix="mcli-mutants-") as folder:
        copy = Path(folder)
        copy_project(copy)
        command = f"{sys.executable} -m pytest -x -q -p no:cacheprovider {MODULES[module]}"
        config = CONFIG.format(module=module, command=command, left_out=OPERATORS_LEFT_OUT)
        (copy / "mutants.toml").write_text(config)
        run(copy, "cosmic-ray", "init", "mutants.toml", "mutants.sqlite")
        run(copy, "cr-filter-operators", "mutants.sqlite", "mutants.toml")
        run(copy, "cosmic-ray", "baseline", "mutants.toml")
        run(copy, "cosmic-ray", "exec", "mutants.toml", "mutants.sqlite")
        lines = run(copy, "cosmic-ray", "dump", "mutants.sqlite").splitlines()
    results = [
        result for _, result in map(json.loads, lines) if result and result["worker_outcome"] == "normal"
    ]
    return len(results), [
        survivor(module, result) for result in results if result["test_outcome"] == "survived"
    ]


def survivor(module: str, result: dict[str, Any]) -> Survivor:
    """Read what was changed from the difference that a result has."""
    lines = [line for line in result["diff"].splitlines() if not line.startswith(("---", "+++"))]
    before = [line[1:].strip() for line in lines if line.startswith("-")]
    after = [line[1:].strip() for line in lines if line.startswith("+")]
    return Survivor(module, " ".join(before).strip(), " ".join(after).strip())


def run(copy: Path, *command: str) -> str:
    """Run a command in the copy, and return what it prints."""
    environment = os.environ | {
        "HYPOTHESIS_PROFILE": "mutants",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": f"{copy}{os.pathsep}{copy / 'generated'}",
    }
    done = subprocess.run(command, cwd=copy, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
