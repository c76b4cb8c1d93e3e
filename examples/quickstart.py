"""Launch a run, follow its log, wait for its end, and say what became of it.

    python examples/quickstart.py [CONFIG.yaml]

Without an account it runs on the local platform, which starts by itself. With `MOSAICML_API_KEY` or `MCLI_MODE` set it
runs where they say. The exit status is 0 if the run has completed.
"""

import os
import re
import sys
from datetime import timedelta
from pathlib import Path

import mcli


def with_scripts(config: mcli.RunConfig, folder: Path) -> mcli.RunConfig:
    """Let the scripts that the command names, and that lie beside its YAML file, travel in the command.

    A run begins in an empty folder; what is not in its image or a git repository has to come with it.
    """
    for name in dict.fromkeys(re.findall(r"python (\w+\.py)", config.command)):
        script = folder / name
        if script.is_file():
            config.command = (
                f"cat > {name} <<'END-OF-{name}'\n{script.read_text()}END-OF-{name}\n{config.command}"
            )
    return config


def show(run: mcli.Run) -> None:
    """Print how a run ended, how long it was in each status, and what it reported."""
    print(f"\n{run.name}: {run.status}{f' ({run.reason})' if run.reason else ''}")
    for span in run.lifecycle:
        lasted = (span.ended_at - span.started_at) if span.ended_at else timedelta(0)
        print(f"  {span.status!s:12} {lasted.total_seconds():7.2f} s")
    for key, value in (run.metadata or {}).items():
        print(f"  {key}: {value}")


def main(path: Path) -> int:
    """Run a configuration to its end."""
    config = with_scripts(mcli.RunConfig.from_file(path), path.parent)
    run = mcli.create_run(config)
    print(f"launched {run.name}")
    for line in mcli.follow_run_logs(run):
        print(line, end="", flush=True)
    run = mcli.wait_for_run_status(run, mcli.RunStatus.COMPLETED)
    show(run)
    return 0 if run.status is mcli.RunStatus.COMPLETED else 1


if __name__ == "__main__":
    if not {"MCLI_MODE", "MOSAICML_API_KEY", "MOSAICML_ACCESS_TOKEN_FILE"} & os.environ.keys():
        os.environ["MCLI_MODE"] = "LOCAL"  # a run is a process on this machine then
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("train.yaml")))
