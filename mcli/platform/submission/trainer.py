"""A small trainer that stands in for the platform's: `python -m mcli.platform.submission.trainer`.

It reads the request from the file `$PARAMETERS`, the data where they are on this machine, and fits a model
that takes seconds: which character follows which. Its loss falls, its checkpoints are written, and it reports
its progress to the platform as training frameworks do. It is one file that needs PyYAML only, because it runs
as a program of its own. It never sees a GPU, and what it learns is of no use.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import math
import os
import random
import re
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

__all__ = ["Model", "local_path", "read", "read_sources"]

SAMPLE = 200_000  # characters of the data that are read
BATCH = 256  # characters
RATE = 0.5  # the one of the request is meant for another kind of model
OTHER = "\ufffd"
DURATION = re.compile(r"[0-9][0-9_]*(ba|ep|tok)")
SYNTHETIC = (
    "The data are not on this machine, so this text takes their place. Runs wait, start, train and end. "
)

Pair = tuple[int, int]


class Model:
    """Probabilities of the next character given the last one, by a table of weights."""

    def __init__(self, text: str, letters: int = 64) -> None:
        self.alphabet: list[str] = [letter for letter, _ in Counter(text).most_common(letters)] + [OTHER]
        self.numbers: dict[str, int] = {letter: number for number, letter in enumerate(self.alphabet)}
        self.weights: list[list[float]] = [[0.0] * len(self.alphabet) for _ in self.alphabet]

    def pairs(self, text: str) -> list[Pair]:
        """Return the numbers of the letters of a text, each with that of the letter that follows."""
        numbers = [self.numbers.get(letter, len(self.alphabet) - 1) for letter in text]
        return list(pairwise(numbers))

    def probabilities(self, number: int) -> list[float]:
        row = self.weights[number]
        top = max(row)
        scaled = [math.exp(weight - top) for weight in row]
        total = sum(scaled)
        return [value / total for value in scaled]

    def learn(self, pairs: Sequence[Pair]) -> float:
        """Make one step down the gradient after each pair, and return the mean loss before each."""
        loss = 0.0
        for last, following in pairs:
            probabilities = self.probabilities(last)
            loss -= math.log(probabilities[following])
            row = self.weights[last]
            for number, probability in enumerate(probabilities):
                row[number] -= RATE * probability
            row[following] += RATE
        return loss / len(pairs)

    def loss(self, pairs: Sequence[Pair]) -> float:
        return -sum(math.log(self.probabilities(last)[following]) for last, following in pairs) / len(pairs)

    def answer(self, prompt: str, chance: random.Random, length: int = 100) -> str:
        number = self.numbers.get(prompt[-1:], 0)
        letters = []
        for _ in range(length):
            number = chance.choices(range(len(self.alphabet)), self.probabilities(number))[0]
            letters.append(self.alphabet[number])
        return "".join(letters)


class Platform:
    """What training code tells the platform; a platform that does not answer never stops the training."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.run: str = environ.get("RUN_NAME", "")
        self.endpoint: str = environ.get("MOSAICML_API_ENDPOINT", "")
        self.token_file: str = environ.get("MOSAICML_ACCESS_TOKEN_FILE", "")
        self.is_ours: bool = environ.get("NODE_RANK", "0") == "0"
        # the platform is on this machine: a proxy for the world outside would not find it.
        self.opener: urllib.request.OpenerDirector = urllib.request.build_opener(
            urllib.request.ProxyHandler({})
        )

    def report(self, **marks: Any) -> None:
        """Set the metadata `mosaicml/<mark>` of the run."""
        if not (self.is_ours and self.token_file and self.endpoint.startswith(("http://", "https://"))):
            return
        metadata = {f"mosaicml/{mark}": value for mark, value in marks.items()}
        for pause in (0.2, 1.0):
            if self._send(metadata) is None:
                return
            time.sleep(pause)
        if error := self._send(metadata):
            say(f"The platform could not be told of {', '.join(marks)}: {error}")

    def _send(self, metadata: Mapping[str, Any]) -> Exception | None:
        """Send once, and return the error if it did not arrive; an answer that refuses has arrived."""
        document = """mutation UpdateRunMetadata($runs: GetRunsInput!, $data: UpdateRunMetadataInput!) {
            updateRunMetadata(getRunsData: $runs, updateRunMetadataData: $data) { name }
        }"""
        variables = {"runs": {"filters": {"name": {"in": [self.run]}}}, "data": {"metadata": metadata}}
        body = json.dumps({"query": document, "variables": variables}).encode()
        try:
            token = Path(self.token_file).read_text().strip()
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
            request = urllib.request.Request(self.endpoint, body, headers)  # noqa: S310 - report() checks it
            with self.opener.open(request, timeout=5) as response:
                errors = json.load(response).get("errors")
        except (OSError, ValueError, http.client.HTTPException) as error:
            return error
        if errors:
            say(f"The platform refused a report: {errors[0].get('message')}")
        return None


def say(text: str) -> None:
    """Write a line to the log at once."""
    print(text, flush=True)


def local_path(text: object) -> Path | None:
    """Return the path on this machine that `text` means, or None if it is elsewhere.

    >>> local_path("s3://bucket/x"), local_path("file:///data"), local_path("owner/name/train")
    (None, PosixPath('/data'), None)
    """
    path = str(text or "").removeprefix("file://")
    # unlike Path.expanduser, this bears a user whom nobody knows
    return Path(os.path.expanduser(path)) if path.startswith(("/", "~", "./")) else None  # noqa: PTH111 - ^


def read_sources(parameters: Mapping[str, Any]) -> str:
    """Read the training text of a finetuning or a pretraining request, each source by its proportion."""
    train_data = parameters.get("train_data") or [parameters["train_data_path"]]
    if isinstance(train_data, Mapping):
        shares = [(source["path"], source["proportion"]) for source in train_data.values()]
    else:
        shares = [(path, 1 / len(train_data)) for path in train_data]
    return "".join(read(path, int(share * SAMPLE)) for path, share in shares)


def read(place: str, limit: int) -> str:
    """Read up to `limit` characters of a data set: rows of JSONL, or text files of a folder."""
    path = local_path(place)
    if path is None:
        say(f"{place} is not on this machine: a synthetic data set is used.")
        return SYNTHETIC * (limit // (10 * len(SYNTHETIC)) + 1)
    say(f"Reading {path}.")
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    texts: list[str] = []
    for file in files:
        for text in _texts(file):
            texts.append(text)
            limit -= len(text)
            if limit <= 0:
                return "".join(texts)
    return "".join(texts)


def _texts(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if file.suffix != ".jsonl":
                yield line
            elif line.strip():
                yield _row(line, f"row {number} of {file}")


def _row(line: str, where: str) -> str:
    """Read a row: `{"prompt", "response"}`, or `{"messages": [{"role", "content"}]}`."""
    try:
        row = json.loads(line)
        if "messages" in row:
            return "".join(f"{message['role']}: {message['content']}\n" for message in row["messages"])
        return f"{row['prompt']}\n{row['response'] if 'response' in row else row['completion']}\n"
    except (ValueError, KeyError, TypeError) as error:
        form = '{"prompt", "response"} or {"messages": [{"role", "content"}]}'
        raise ValueError(f"{where} must be {form}, but: {type(error).__name__} {error}") from None


def length(duration: str, batches_per_epoch: int, most: int) -> tuple[int, int]:
    """Return the epochs, and the batches of each, of a duration like `2ep`, `100ba` or `1_000tok`.

    There are at most `most` batches in all.

    >>> length("2ep", 10, 100), length("30ba", 10, 100), length("2ep", 1000, 100)
    ((2, 10), (1, 30), (2, 50))
    """
    count, unit = int("".join(filter(str.isdigit, duration))), duration.lstrip("0123456789_")
    epochs = min(count, most) if unit == "ep" else 1
    asked = {"ep": batches_per_epoch, "ba": count, "tok": math.ceil(count / BATCH)}[unit]
    return epochs, max(1, min(asked, most // epochs))


def train(model: Model, text: str, duration: str, platform: Platform) -> str:
    """Fit `model` to `text`, and return the name of the point reached, like `ep1-ba200`."""
    pairs = model.pairs(text)
    chance = random.Random(17)  # noqa: S311 - a fixed order, so that equal runs give equal losses
    most = int(os.environ.get("MCLI_LOCAL_TRAINER_BATCHES", "200"))
    epochs, batches = length(duration, math.ceil(len(pairs) / BATCH), most)
    say(f"Training for {epochs} x {batches} batches of {BATCH} characters.")
    reported = 0.0
    for epoch in range(1, epochs + 1):
        for batch in range(1, batches + 1):
            loss = model.learn(chance.choices(pairs, k=BATCH))
            is_last = (epoch, batch) == (epochs, batches)
            if is_last or time.monotonic() - reported >= 1:
                reported = time.monotonic()
                progress = {
                    "training_progress": f"[epoch={epoch}/{epochs}]",
                    "training_sub_progress": f"[batch={batch}/{batches}]",
                }
                say(f"{' '.join(progress.values())} loss {loss:.4f}")
                platform.report(**progress, **{"loss/train/total": round(loss, 6)})
    return f"ep{epochs}-ba{epochs * batches}"


def save(model: Model, parameters: Mapping[str, Any], run: str, point: str) -> None:
    """Write the checkpoint below `<save folder>/<run>`, where that is on this machine."""
    place = fill_in(str(parameters["save_folder"]), parameters, run)
    folder = local_path(place)
    if folder is None:
        say(f"{place} is not on this machine: no checkpoint is written.")
        return
    state = {"alphabet": model.alphabet, "weights": model.weights}
    config = {"model_type": "bigram", "base": parameters["model"], "vocab_size": len(model.alphabet)}
    write(folder / run / "checkpoints" / f"{point}-rank0.json", state)
    write(folder / run / "hf_checkpoints" / point / "model.json", state)
    write(folder / run / "hf_checkpoints" / point / "config.json", config)
    say(f"Checkpoint {point} is in {folder / run}.")


def fill_in(place: str, parameters: Mapping[str, Any], run: str) -> str:
    """Fill in the tracker's ids, which on the platform come from MLflow, by made-up ones."""
    experiment = str((parameters.get("experiment_tracker") or {}).get("mlflow"))
    ids = {"{mlflow_experiment_id}": experiment, "{mlflow_run_id}": run}
    for key, name in ids.items():
        place = place.replace(key, hashlib.sha256(name.encode()).hexdigest()[:16])
    return place


def write(path: Path, value: object) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(value))
    draft.replace(path)


def evaluate(model: Model, parameters: Mapping[str, Any]) -> None:
    """Write the loss on the evaluation data and the answers to the evaluation prompts to the log."""
    evaluation = parameters.get("eval") or {}
    place = parameters.get("eval_data_path") or evaluation.get("data_path")
    if place:
        pairs = model.pairs(read(place, SAMPLE // 10))
        say(f"Evaluation loss {model.loss(pairs):.4f}" if pairs else f"{place} holds nothing to evaluate.")
    prompts = parameters.get("eval_prompts") or evaluation.get("prompts") or []
    for prompt in [prompts] if isinstance(prompts, str) else prompts:
        say(f"Prompt: {prompt}\nAnswer: {model.answer(prompt, random.Random(17))}")  # noqa: S311 - as in train


def run(parameters: Mapping[str, Any], platform: Platform) -> None:
    """Do all that a training run does, and report each mark when it is reached."""
    say(f"Stand-in trainer of the local platform. {parameters['model']} is not loaded; a tiny model is.")
    text = read_sources(parameters)
    if len(text) < 2:
        raise ValueError("The training data are empty.")
    platform.report(data_validated=time.time())
    model = Model(text)
    platform.report(model_initialized_time=time.time())
    platform.report(train_started_time=time.time())
    point = train(model, text, str(parameters.get("training_duration") or "1ep"), platform)
    if platform.is_ours:
        save(model, parameters, platform.run or "run", point)
        platform.report(checkpoint_uploaded_time=time.time())
    evaluate(model, parameters)
    platform.report(train_finished_time=time.time())
    say("Training finished.")


def main(environ: Mapping[str, str]) -> int:
    """Train as `$PARAMETERS` says; the exit status is 1 when that fails, and the platform is told why."""
    platform = Platform(environ)
    try:
        run(yaml.safe_load(Path(environ["PARAMETERS"]).read_text()), platform)
    except (OSError, ValueError, KeyError) as error:
        say(f"{type(error).__name__}: {error}")
        platform.report(exception={"class": type(error).__name__, "message": str(error)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
