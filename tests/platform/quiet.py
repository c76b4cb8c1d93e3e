"""A platform of which nothing is executed: requests, state and those who are told, without network and processes."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, build_schema, get_named_type

from mcli.platform.clock import VirtualClock
from mcli.platform.errors import RequestError
from mcli.platform.execution.folders import RunFolders
from mcli.platform.scheduling.cluster import virtual
from mcli.platform.serving.api import Api, Request, schema_text
from mcli.platform.serving.failures import error_to_wire
from mcli.platform.serving.logs import Logs
from mcli.platform.serving.resolvers import Resolvers
from mcli.platform.serving.watches import PATIENCE, Watches
from mcli.platform.state.hub import Hub
from mcli.platform.state.store import Store
from mcli.platform.state.users import Keys, User
from mcli.platform.state.vault import Vault
from tests.platform.test_every_field import everything

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = build_schema(schema_text())
RUN = {"runName": "a", "image": "a", "command": "true", "compute": {"gpus": 0}}


def root(field: str) -> tuple[str, Any]:
    """Return the kind of a root field, and the field."""
    for kind in (SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type):
        if kind is not None and field in kind.fields:
            return kind.name.lower(), kind.fields[field]
    raise AssertionError(field)


class Quiet:
    """A platform without anybody who executes its runs, and without a network."""

    def __init__(self, folder: Path, patience: float = PATIENCE) -> None:
        self.runner = asyncio.Runner()
        self.clock = VirtualClock()
        self.folders = RunFolders(folder)
        self.api = self.runner.run(self._open(folder, patience))

    async def _open(self, folder: Path, patience: float) -> Api:
        hub, vault = Hub(), Vault(folder / "key")
        self.store = Store(folder / "db", self.clock, hub.publish)
        self.user: User = await Keys(self.store).add_user("ann", "ann@localhost", is_admin=True)
        watches, logs = Watches(self.store, hub, patience), Logs(self.store, hub, self.folders)
        return Api(self.store, Resolvers(virtual(2, 8), vault), watches, logs)

    def close(self) -> None:
        self.store.close()
        self.runner.close()

    def ask(self, field: str, *arguments: Any) -> dict[str, Any]:
        """Send the arguments of one field as JSON, select everything, and return the response."""
        answer: dict[str, Any] = self.runner.run(self.answer(field, *arguments))
        return answer

    async def answer(
        self, field: str, *arguments: Any, user: User | None = None, once: str | None = None
    ) -> dict[str, Any]:
        """Do the same on the loop, as another user or with an idempotency key."""
        kind, of = root(field)
        names = list(of.args.items())[: len(arguments)]
        declared = ", ".join(f"${name}: {argument.type}" for name, argument in names)
        given = ", ".join(f"{name}: ${name}" for name, _ in names)
        below = everything(get_named_type(of.type).name) if field != "watchRunStatus" else ""
        document = f"{kind} Q({declared}) {{ {field}({given}) {f'{{ {below} }}' if below else ''} }}"
        variables = dict(zip(dict(names), json.loads(json.dumps(arguments)), strict=True))
        request = Request(user or self.user, document, variables, once=once)
        answer = await (self._first(request) if kind == "subscription" else self.api.answer(request))
        json.dumps(answer, allow_nan=False, ensure_ascii=False).encode()
        return answer

    async def _first(self, request: Request) -> dict[str, Any]:
        """Return the first response of a subscription."""
        responses = self.api.subscribe(request)
        try:
            return await anext(responses, {"data": None})
        except (RequestError, GraphQLError) as error:
            return {"errors": [error_to_wire(error)]}
        finally:
            await responses.aclose()

    def create(self) -> str:
        answer = self.ask("createRun", {"runInput": RUN})
        return str(answer["data"]["createRun"][0]["name"])

    def list_everything(self) -> list[Any]:
        """List all there is, and return the errors."""
        whole = {"includeDeleted": True, "limit": 10_000}
        answers = [
            self.ask("getRunsPaginated", whole),
            self.ask("getFinetunesPaginated", whole),
            *(self.ask(field, {}) for field in ("getRuns", "getSecrets", "getClusters", "getUsers")),
        ]
        return [error for answer in answers for error in answer.get("errors", ())]
