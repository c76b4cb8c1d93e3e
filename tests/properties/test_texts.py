"""Keys and secrets are in no text that we make."""

from __future__ import annotations

import logging
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mcli
from mcli import MAPIConnection
from tests import strategies as ours
from tests.fake import SCHEMA, Answers, Fake, Replies
from tests.properties.calls import CALLS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcli.secret_types import Secret

KEY = "kEy-5e3c1d"
some = settings(max_examples=settings().max_examples // 2)
fake = Fake()
replies = Replies(Answers(SCHEMA))
kinds = st.sampled_from(["data", "errors", "garbage", "broken"])


class _Records(logging.Handler):
    """Keeps the text of each record, with its exception."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@contextmanager
def logged() -> Iterator[list[str]]:
    """Give the texts of all that is logged in a block, at every level."""
    records, root = _Records(), logging.getLogger()
    level = root.level
    root.addHandler(records)
    root.setLevel(logging.DEBUG)
    try:
        yield records.texts
    finally:
        root.removeHandler(records)
        root.setLevel(level)


@pytest.mark.filterwarnings("ignore")
@some
@given(
    data=st.data(),
    name=st.sampled_from(sorted(CALLS)),
    kind=kinds,
)
def test_no_text_has_the_key(data: st.DataObject, name: str, kind: str) -> None:
    """Whatever a call ends in, the key is in no log record, no result and no exception with all that led to it."""
    with logged() as texts, MAPIConnection(Fake.endpoint, KEY, http=fake) as connection:
        texts += [repr(connection), repr(MAPIConnection.get_current_connection())]
        try:
            found = fake.result(CALLS[name](), lambda asked: data.draw(getattr(replies, kind)(asked)))
            texts.append(repr(found))
        except mcli.MAPIException as error:
            texts += [repr(error), *traceback.format_exception(error)]
    assert not [text for text in texts if KEY in text]


@pytest.mark.filterwarnings("ignore")
@some
@given(data=st.data(), secret=ours.secrets(), kind=kinds)
def test_no_text_has_a_secret(data: st.DataObject, secret: Secret, kind: str) -> None:
    """Whatever storing a secret ends in, its value is in no log record, no result and no exception."""
    parts = {name: value for name, value in vars(secret).items() if str(value).startswith(f"<{name}>")}
    values = [value for name, value in parts.items() if name != "key"]
    assert values
    with logged() as texts, MAPIConnection(Fake.endpoint, KEY, http=fake):
        try:
            pending = mcli.create_secret(secret, future=True)
            found = fake.result(pending, lambda asked: data.draw(getattr(replies, kind)(asked)))
            texts.append(repr(found))
        except mcli.MAPIException as error:
            texts += [repr(error), *traceback.format_exception(error)]
    assert not [text for text in texts for value in values if value in text]
