"""Every scenario of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.scenarios import SCENARIOS, Scenario
from tests.faults.stage import Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.stage import Stage

ROWS = [
    pytest.param(each, marks=() if each.quick else pytest.mark.faults, id=str(each)) for each in SCENARIOS
]


@pytest.mark.parametrize("scenario", ROWS)
def test_comes_to_what_its_row_says(
    stage: Stage, scenario: Scenario, record_property: Callable[[str, object], None]
) -> None:
    """Nothing is lost, repeated or done twice, and what cannot succeed says so."""
    result = scenario.play(stage)

    for column, value in vars(result).items():
        record_property(column, value)
    record_property("scenario", str(scenario))
    assert Result(scenario.outcome) == result
