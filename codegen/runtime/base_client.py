"""The seam between the generated operations and the network."""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol, TypeVar

from .base_model import Result

ResultT = TypeVar("ResultT", bound=Result)


class Transport(Protocol):
    """What the operations need of a network: one call and one stream.

    `document` begins with `query`, `mutation` or `subscription`; `operation` is its name. `variables` still
    holds `Input` models and `UNSET`: `wire_variables` makes JSON values of them.
    """

    async def execute(
        self, result: type[ResultT], document: str, operation: str, variables: Mapping[str, object]
    ) -> ResultT:
        """Send one query or mutation and return its data."""
        ...

    def subscribe(
        self, result: type[ResultT], document: str, operation: str, variables: Mapping[str, object]
    ) -> AsyncIterator[ResultT]:
        """Start one subscription and return what it delivers."""
        ...


class BaseClient:
    """Holds the transport of a generated client."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
