"""Making pretraining runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import mcli
from mcli import MAPIException, RunType
from mcli.exceptions import ValidationError
from mcli.testing import local_platform
from tests import wire

if TYPE_CHECKING:
    from tests.conftest import Connect

MODEL, DATA, FOLDER = "mosaicml/mpt-7b", ["s3://bucket/data"], "s3://bucket/out"


def created(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"createPretrain": list(runs)}}


CREATED = created(wire.run("pretrain-mpt-7b-abcdef", runType="PRETRAINING"))


def test_only_what_is_given_is_sent(connect: Connect) -> None:
    """A request has model, data and folder, and the empty sections that platforms want."""
    connect(answer=(script := wire.Script(CREATED)))
    mcli.create_pretraining_run(MODEL, DATA, FOLDER)
    sent = {
        "model": MODEL,
        "trainData": DATA,
        "saveFolder": FOLDER,
        "compute": {},
        "parameters": {},
        "eval": {},
    }
    assert {"createPretrainData": sent} == script.calls[0].variables


def test_all_that_is_given_is_sent(connect: Connect) -> None:
    """A request has every argument, by its name on the wire; names of datasets stay as they are."""
    connect(answer=(script := wire.Script(CREATED)))
    mcli.create_pretraining_run(
        MODEL,
        {"my_web": {"path": "path/to/web", "proportion": 0.8}, "code": {"path": "b", "proportion": 0.2}},
        FOLDER,
        compute={"gpus": 8, "gpu_type": mcli.GPUType.A100_80GB, "node_names": ["n"], "cluster": None},
        tokenizer={
            "name": "t",
            "model_max_length": 10,
            "model_input_names": ["i"],
            "trust_remote_code": True,
        },
        training_duration="100ba",
        parameters={"learning_rate": "5e-7", "context_length": 2048, "vocab_size": 50_000},
        eval={"data_path": "s3://bucket/eval", "prompts": ["Who?"]},
        experiment_tracker={"wandb": {"project": "p"}},
        custom_weights_path="s3://bucket/weights",
    )
    sent = {
        "model": MODEL,
        "trainData": {
            "my_web": {"path": "path/to/web", "proportion": 0.8},
            "code": {"path": "b", "proportion": 0.2},
        },
        "saveFolder": FOLDER,
        "compute": {"gpus": 8, "gpuType": "a100_80gb", "nodeNames": ["n"]},
        "tokenizer": {
            "name": "t",
            "modelMaxLength": 10,
            "modelInputNames": ["i"],
            "trustRemoteCode": True,
        },
        "trainingDuration": "100ba",
        "parameters": {"learningRate": 5e-7, "contextLength": 2048, "vocabSize": 50_000},
        "eval": {"dataPath": "s3://bucket/eval", "prompts": ["Who?"]},
        "experimentTracker": {"wandb": {"project": "p"}},
        "customWeightsPath": "s3://bucket/weights",
    }
    assert {"createPretrainData": sent} == script.calls[0].variables


def test_the_documented_defaults_reach_the_training() -> None:
    """A pretraining run is trained with a learning rate of 5e-7 for one epoch, where nothing else is asked for."""
    with local_platform():
        submitted = mcli.create_pretraining_run(MODEL, DATA, FOLDER, compute={"gpus": 0}).submitted_config
    assert submitted
    told = submitted.parameters
    assert (5e-7, "1ep") == (told["parameters"]["learning_rate"], told["training_duration"])


def half(**fields: Any) -> dict[str, Any]:
    return {"path": "s3://bucket/x", "proportion": 0.5} | fields


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": None}, "model must be a text"),
        ({"save_folder": "out"}, "save_folder must be a path"),
        ({"train_data": []}, "train_data must not be empty"),
        ({"train_data": "s3://bucket/data"}, "train_data must be a list of texts"),
        ({"train_data": ["a", None]}, r"train_data\[1\] must be a text"),
        ({"train_data": {}}, "proportions of train_data must add up to 1, not to 0"),
        ({"train_data": {"a": half(), "b": half(proportion=0.4)}}, "must add up to 1, not to 0.9"),
        ({"train_data": {"a": half(proportion=-0.5)}}, r"train_data\['a'\]\['proportion'\] must be a number"),
        ({"train_data": {"a": half(proportion="half")}}, r"\['proportion'\] must be a number"),
        ({"train_data": {"a": "s3://bucket/x"}}, r"train_data\['a'\] must be a mapping with 'path' and"),
        ({"train_data": {"a": half(weight=1)}}, r"and nothing else"),
        ({"compute": {"gpu": 8}}, "compute has the unknown key .gpu.; did you mean 'gpus'"),
        ({"compute": {"gpus": "8x"}}, "compute.gpus must be a whole number"),
        ({"compute": ["gpus"]}, "compute must be a mapping, not a list"),
        ({"tokenizer": {"model_max_length": "long"}}, "tokenizer.model_max_length must be a whole"),
        ({"parameters": {"learning_rate": "fast"}}, "parameters.learning_rate must be a number greater"),
        ({"parameters": {"learning_rate": 0}}, "parameters.learning_rate must be a number greater than 0"),
        ({"parameters": {"vocab_size": -1}}, "parameters.vocab_size must be a number greater than 0"),
        ({"eval": {"prompts": {"a": "b"}}}, "eval.prompts must be a list of texts"),
        ({"training_duration": "1 epoch"}, "training_duration must be a number"),
        ({"experiment_tracker": {"comet": {}}}, "experiment_tracker has the unknown key .comet."),
        ({"custom_weights_path": "weights"}, "custom_weights_path must be a path"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_not_sent(connect: Connect, arguments: Any, words: str) -> None:
    """A wrong argument is refused at the call, by its name."""
    connect(answer=(script := wire.Script(CREATED)))
    given = {"model": MODEL, "train_data": DATA, "save_folder": FOLDER} | arguments
    with pytest.raises(ValidationError, match=words):
        mcli.create_pretraining_run(**given, future=True)
    assert [] == script.calls


def test_proportions_may_be_thirds(connect: Connect) -> None:
    """Proportions add up to 1 as well as floating point can tell."""
    connect(answer=(script := wire.Script(CREATED)))
    mcli.create_pretraining_run(MODEL, {name: half(proportion=1 / 3) for name in "abc"}, FOLDER)
    assert 1 == len(script.calls)


def test_one_prompt_is_a_prompt(connect: Connect) -> None:
    """A prompt to answer may be given without a list around it."""
    connect(answer=(script := wire.Script(CREATED)))
    mcli.create_pretraining_run(MODEL, DATA, FOLDER, eval={"prompts": "Who?"})
    assert {"prompts": "Who?"} == script.calls[0].variables["createPretrainData"]["eval"]


def test_a_pretraining_run_is_a_run(connect: Connect) -> None:
    """What comes back is a run of its own type, with details."""
    connect(answer=wire.Script(CREATED))
    run = mcli.create_pretraining_run(MODEL, DATA, FOLDER)
    assert (RunType.PRETRAINING, True) == (run.run_type, run.submitted_config is not None)


def test_an_answer_without_the_run_is_an_error(connect: Connect) -> None:
    """An empty list in answer to a creation is said to be the platform's fault."""
    connect(answer=wire.Script(created()))
    with pytest.raises(MAPIException, match="Error 500: The platform answered without the run"):
        mcli.create_pretraining_run(MODEL, DATA, FOLDER)
