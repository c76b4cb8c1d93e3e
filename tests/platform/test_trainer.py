"""The stand-in trainer, as the program that a run executes."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from mcli.platform.submission import trainer
from mcli.platform.submission.finetune_checks import finetune_run, pretrain_run

ROWS = [{"prompt": f"What is {number}?", "response": f"It is {number} indeed."} for number in range(200)]


class Reports:
    """A server that records what it is told, as the platform would."""

    def __init__(self, failures: int) -> None:
        self.metadata: list[dict[str, Any]] = []
        self.headers: list[str] = []
        self.failures = failures

    def handle(self, authorization: str, body: dict[str, Any]) -> bytes:
        self.headers.append(authorization)
        if self.failures:
            self.failures -= 1
            return b"no JSON"
        assert body["variables"]["runs"] == {"filters": {"name": {"in": ["ift-mpt-7b-abc123"]}}}
        self.metadata.append(body["variables"]["data"]["metadata"])
        return b'{"data": {}}'

    def keys(self) -> list[str]:
        return [key for each in self.metadata for key in each]


@pytest.fixture
def reports(request: pytest.FixtureRequest) -> Iterator[tuple[Reports, str]]:
    """Serve on a free port; the parameter is how many requests are answered with nonsense first."""
    state = Reports(getattr(request, "param", 0))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = state.handle(self.headers["Authorization"], body)
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state, f"http://127.0.0.1:{server.server_port}/graphql"
        server.shutdown()
        thread.join()


def request(folder: Path, **changes: Any) -> dict[str, Any]:
    """Give a finetuning request whose data and save folder are on this machine."""
    data = folder / "train.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    base = {"model": "mosaicml/mpt-7b", "trainDataPath": str(data), "saveFolder": f"{folder}/out"}
    return {**base, **changes}


def train(folder: Path, run: dict[str, Any], **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the trainer as a process, with a proxy in its environment that nothing must use."""
    (folder / "parameters.yaml").write_text(yaml.safe_dump(run["parameters"]))
    (folder / "token").write_text("t0ken\n")
    environment = {
        "PARAMETERS": str(folder / "parameters.yaml"),
        "RUN_NAME": "ift-mpt-7b-abc123",
        "MOSAICML_ACCESS_TOKEN_FILE": str(folder / "token"),
        "MCLI_LOCAL_TRAINER_BATCHES": "20",
        "http_proxy": "http://127.0.0.1:9",
    }
    command = [sys.executable, "-I", "-W", "error", trainer.__file__]
    return subprocess.run(
        command, env=environment | variables, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_run_trains_and_saves(tmp_path: Path) -> None:
    """Data on this machine are read, and the checkpoints lie where the page says."""
    done = train(tmp_path, finetune_run(request(tmp_path)))
    out = tmp_path / "out" / "ift-mpt-7b-abc123"
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Reading {tmp_path}/train.jsonl." in done.stdout
    assert (out / "checkpoints" / "ep1-ba20-rank0.json").is_file()
    assert (out / "hf_checkpoints" / "ep1-ba20" / "config.json").is_file()


def test_the_platform_hears_of_each_step(tmp_path: Path, reports: tuple[Reports, str]) -> None:
    """The marks arrive in the order in which training reaches them, with the token of the run."""
    state, endpoint = reports
    train(tmp_path, finetune_run(request(tmp_path)), MOSAICML_API_ENDPOINT=endpoint)
    marks = [
        "data_validated",
        "model_initialized_time",
        "train_started_time",
        "training_progress",
        "checkpoint_uploaded_time",
        "train_finished_time",
    ]
    assert [key for key in dict.fromkeys(state.keys()) if key.removeprefix("mosaicml/") in marks] == [
        f"mosaicml/{mark}" for mark in marks
    ]
    assert set(state.headers) == {"Bearer t0ken"}


@pytest.mark.parametrize("reports", [1], indirect=True)
def test_a_report_is_repeated(tmp_path: Path, reports: tuple[Reports, str]) -> None:
    """A report that got no proper answer is sent again."""
    state, endpoint = reports
    train(tmp_path, finetune_run(request(tmp_path)), MOSAICML_API_ENDPOINT=endpoint)
    assert state.keys()[0] == "mosaicml/data_validated"
    assert len(state.headers) == len(state.metadata) + 1


def test_only_the_first_node_reports_and_saves(tmp_path: Path, reports: tuple[Reports, str]) -> None:
    """Other ranks train silently."""
    state, endpoint = reports
    done = train(tmp_path, finetune_run(request(tmp_path)), MOSAICML_API_ENDPOINT=endpoint, NODE_RANK="1")
    assert (done.returncode, state.headers, (tmp_path / "out").exists()) == (0, [], False)


def test_bad_rows_fail_the_run(tmp_path: Path, reports: tuple[Reports, str]) -> None:
    """A row without a response ends the run with status 1; the log and the platform name the row."""
    state, endpoint = reports
    run = finetune_run(request(tmp_path))
    (tmp_path / "train.jsonl").write_text('{"prompt": "a", "response": "b"}\n{"prompt": "a"}\n')
    done = train(tmp_path, run, MOSAICML_API_ENDPOINT=endpoint)
    assert done.returncode == 1
    assert "row 2 of" in done.stdout
    (exception,) = (each for each in state.metadata if "mosaicml/exception" in each)
    assert exception["mosaicml/exception"]["class"] == "ValueError"


def test_remote_data_are_replaced(tmp_path: Path) -> None:
    """Paths that are elsewhere give a synthetic data set and no checkpoint, and the log says so."""
    remote = request(tmp_path, trainDataPath="s3://b/x.jsonl", saveFolder="s3://b/out")
    done = train(tmp_path, finetune_run(remote))
    assert done.returncode == 0
    assert "s3://b/x.jsonl is not on this machine: a synthetic data set is used." in done.stdout
    assert "s3://b/out is not on this machine: no checkpoint is written." in done.stdout


def test_prompts_are_answered(tmp_path: Path) -> None:
    """Evaluation prompts and data have their lines in the log."""
    data = str(tmp_path / "train.jsonl")
    done = train(tmp_path, finetune_run(request(tmp_path, evalPrompts=["Why?"], evalDataPath=data)))
    assert "Prompt: Why?\nAnswer: " in done.stdout
    assert "Evaluation loss " in done.stdout


def test_ids_of_the_tracker_are_filled_in(tmp_path: Path) -> None:
    """The placeholders of MLflow's ids in the save folder become ids."""
    folder = f"{tmp_path}/out/{{mlflow_experiment_id}}/{{mlflow_run_id}}"
    train(tmp_path, finetune_run(request(tmp_path, saveFolder=folder)))
    (experiment,) = (tmp_path / "out").iterdir()
    assert "{" not in experiment.name


def test_pretraining_mixes_its_sources(tmp_path: Path) -> None:
    """A pretraining run reads folders of text, each by its proportion."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "text.txt").write_text(f"{name}{name}{name}\n" * 50_000)
    sources = {
        name: {"path": str(tmp_path / name), "proportion": share}
        for name, share in [("a", 0.75), ("b", 0.25)]
    }
    data = {"model": "o/m", "trainData": sources, "saveFolder": f"{tmp_path}/out", "compute": {"gpus": 0}}
    text = trainer.read_sources(pretrain_run(data)["parameters"])
    assert text.count("a") / text.count("b") == pytest.approx(3, rel=0.01)


def test_chat_rows_are_read(tmp_path: Path) -> None:
    """Rows of a chat are their messages, each with its role."""
    data = tmp_path / "chat.jsonl"
    data.write_text(
        '{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]}\n\n'
    )
    assert trainer.read(str(data), 1000) == "user: hi\nassistant: yo\n"


def test_the_loss_falls() -> None:
    """Each pass over the same text lowers the loss."""
    text = "abcabcabc" * 20
    model = trainer.Model(text)
    pairs = model.pairs(text)
    losses = [model.learn(pairs) for _ in range(4)]
    assert losses == sorted(losses, reverse=True)
    assert model.loss(pairs) < losses[0] / 2


def test_unknown_letters_have_a_number() -> None:
    """A text with letters that the model never saw still has a loss."""
    model = trainer.Model("aaaa")
    assert model.loss(model.pairs("xyz")) > 0
