"""The run configurations of public projects, on a platform that has their clusters."""

from __future__ import annotations

import pytest

from bench.run_configs import Played, play

PLACEHOLDERS = {
    "zankner__llm-foundry-old__do-remb-mi__jobs__reference__yamls__pretrain_ref.yaml": "'<insert gpu num>'",
}
"""Files with a number of GPUs that lack something else which their users are to fill in, and what is told of it."""


@pytest.fixture(scope="module")
def files() -> list[Played]:
    return play()


def test_configs_of_the_cloud_are_accepted(files: list[Played]) -> None:
    """All with a name and a number of GPUs are accepted as they are; the others are told what to fill in."""
    refused = {each.file: each.problem for each in files if each.asks and each.problem}
    assert PLACEHOLDERS.keys() == refused.keys()
    assert all(word in (refused[file] or "") for file, word in PLACEHOLDERS.items())


def test_configs_that_are_filled_in_are_accepted(files: list[Played]) -> None:
    """With a name and `gpus: 8` where they are absent, at least 50 of the 61 files are accepted."""
    accepted = [each.file for each in files if each.problem_when_filled is None]
    assert (61, True) == (len(files), len(accepted) >= 50)
