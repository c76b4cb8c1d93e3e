"""Events that metadata stand for."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcli.platform.state.events import Event, event, from_metadata, readable

NOW = datetime(2024, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        ("data_validated", Event("DATA_VALIDATED", NOW, "Training data validated.")),
        ("model_initialized_time", Event("MODEL_INITIALIZED", NOW, "Model initialized.")),
        ("train_started_time", Event("TRAIN_STARTED", NOW, "Training started.")),
        ("checkpoint_uploaded_time", Event("CHECKPOINT_SAVED", NOW, "Checkpoint uploaded.")),
        ("train_finished_time", Event("TRAIN_FINISHED", NOW, "Training finished.")),
    ],
)
def test_marks_are_events_at_their_time(mark: str, expected: Event) -> None:
    """A mark with a unix time is the event of that time, whenever it arrives."""
    metadata = {f"mosaicml/{mark}": NOW.timestamp()}
    assert from_metadata({}, metadata, datetime.now(UTC)) == [expected]


@pytest.mark.parametrize(
    ("version", "count"),
    [(None, 1), ("0.6.36", 1), ("0.6.9", 1), ("0.6.42", 2), ("0.10.0", 2), ("1.0", 2), ("beta", 1)],
)
def test_types_that_old_clients_cannot_read_are_left_out(version: str | None, count: int) -> None:
    """Clients before 0.6.42, and those that do not say, are shown the types of 0.6.36 only."""
    shown = [{"eventType": "STARTED"}, {"eventType": "REQUEUED"}]
    assert readable(shown, version) == shown[:count]


def test_what_is_repeated_is_no_event() -> None:
    """A mark that is sent again with the same value happened once."""
    marks = {"mosaicml/train_finished_time": 1.0}
    assert from_metadata(marks, marks, NOW) == []


def test_a_second_checkpoint_is_another_event() -> None:
    """A mark with a new value is a new event."""
    old, new = ({"mosaicml/checkpoint_uploaded_time": time} for time in (1.0, 2.0))
    (second,) = from_metadata(old, new, NOW)
    assert second.time == datetime.fromtimestamp(2, UTC)


def test_a_resumed_checkpoint_initializes_the_model_once() -> None:
    """The path of a resumed checkpoint and the time of initialization are one event."""
    marks = {"mosaicml/model_initialized_time": 1.0, "mosaicml/checkpoint_resumed_path": "s3://c"}
    assert [each.type for each in from_metadata({}, marks, NOW)] == ["MODEL_INITIALIZED"]


def test_progress_is_its_text() -> None:
    """Progress and sub-progress are one event with both texts, even when only one of them changes."""
    old = {"mosaicml/training_progress": "[epoch=1/2]", "mosaicml/training_sub_progress": "[batch=3/10]"}
    new = {"mosaicml/training_sub_progress": "[batch=4/10]"}
    assert from_metadata(old, new, NOW) == [Event("TRAIN_UPDATED", NOW, "[epoch=1/2] [batch=4/10]")]


def test_an_exception_is_its_class_and_message() -> None:
    """A reported exception is an event that names class and message."""
    metadata = {"mosaicml/exception": {"class": "DataError", "message": "no rows", "attributes": {}}}
    assert from_metadata({}, metadata, NOW) == [Event("FAILED_EXCEPTION", NOW, "DataError: no rows")]


def test_events_come_in_order_of_time() -> None:
    """Marks of one update are given oldest first."""
    marks = {"mosaicml/train_finished_time": 2.0, "mosaicml/data_validated": 1.0}
    assert [each.type for each in from_metadata({}, marks, NOW)] == ["DATA_VALIDATED", "TRAIN_FINISHED"]


@given(
    st.dictionaries(
        st.sampled_from(
            ["mosaicml/data_validated", "mosaicml/training_progress", "mosaicml/exception", "loss", "é"]
        ),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=5,
        ),
    )
)
def test_any_metadata_can_be_read(metadata: dict[str, Any]) -> None:
    """Values of any kind give events with a time zone and a text, and never an error."""
    assert all(
        each.time.tzinfo and isinstance(each.message, str) for each in from_metadata({}, metadata, NOW)
    )


def test_the_platform_has_its_own_texts() -> None:
    """An event of the platform has its usual message, or the reason that is given."""
    assert event("CREATED", NOW).message == "Run created."
    assert event("STOPPED", NOW, "Stopped by user").message == "Stopped by user"
