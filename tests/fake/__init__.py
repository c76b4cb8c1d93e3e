"""A platform that knows the schema and nothing else, and gives any valid answer to whatever it is asked.

`Fake` receives, over a transport in this process or over real sockets, what the client sends, refuses what does not
fit the schema, and hands the rest to the test, which draws the reply. A change of the schema changes what is refused
and what is answered without an edit here.
"""

from tests.fake.answers import Answers
from tests.fake.platform import Fake
from tests.fake.replies import Payload, Replies, Reply
from tests.fake.requests import SCHEMA, InvalidRequestError, Request, read_schema
from tests.fake.serving import connected
from tests.fake.variables import Variables

__all__ = [
    "SCHEMA",
    "Answers",
    "Fake",
    "InvalidRequestError",
    "Payload",
    "Replies",
    "Reply",
    "Request",
    "Variables",
    "connected",
    "read_schema",
]
