"""Fit a line to noisy samples by gradient descent, and report progress from inside the run.

The platform mounts the parameters as a YAML file, whose path is in `PARAMETERS`, and the name of the run is in
`RUN_NAME`. Outside a run the same file trains too, with the parameters given as its argument.
"""

import os
import random
import sys
import time
from concurrent.futures import Future, wait
from pathlib import Path

import yaml

import mcli


def samples(count: int, source: random.Random) -> list[tuple[float, float]]:
    """Draw points of the line y = 3x - 1, with noise."""
    return [(x, 3 * x - 1 + source.gauss(0, 0.1)) for x in (source.uniform(-1, 1) for _ in range(count))]


def train(parameters: dict) -> None:
    """Train, and report after each epoch."""
    source = random.Random(parameters["seed"])
    data = samples(parameters["samples"], source)
    size, rate = parameters["batch_size"], parameters["learning_rate"]
    slope = offset = 0.0
    reports: list[Future] = []
    for epoch in range(1, parameters["epochs"] + 1):
        source.shuffle(data)
        losses = []
        for begin in range(0, len(data), size):
            batch = data[begin : begin + size]
            errors = [(slope * x + offset - y, x) for x, y in batch]
            slope -= rate * 2 * sum(error * x for error, x in errors) / len(batch)
            offset -= rate * 2 * sum(error for error, _ in errors) / len(batch)
            losses.append(sum(error**2 for error, _ in errors) / len(batch))
            time.sleep(0.005)  # a larger model would take this time itself
        loss = sum(losses) / len(losses)
        print(f"epoch {epoch}: loss {loss:.4f}, y = {slope:.3f} x {offset:+.3f}", flush=True)
        progress = f"[epoch={epoch}/{parameters['epochs']}]"
        reports.append(report({"mosaicml/training_progress": progress, "loss": round(loss, 4)}))
    wait(reports)
    for each in reports:
        each.result()  # a report that failed should be seen


def report(metadata: dict) -> Future:
    """Send metadata of this run to the platform, in the background; SIGTERM waits for it."""
    if "RUN_NAME" not in os.environ:
        done: Future = Future()
        done.set_result(None)
        return done
    return mcli.update_run_metadata(os.environ["RUN_NAME"], metadata, future=True, protect=True)


if __name__ == "__main__":
    path = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ["PARAMETERS"])
    parameters = yaml.safe_load(path.read_text())
    train(parameters.get("parameters", parameters))
