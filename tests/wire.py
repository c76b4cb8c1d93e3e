"""What a platform answers, and servers on loopback that answer it as a test says.

Servers have an event loop on a thread of their own; a test waits for what they saw with `wait_until`, never for time.
"""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import re
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import httpx
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Coroutine

KEY = "key-that-nobody-may-see"
ENDPOINT = "http://platform.test/graphql"
"""Where a test without sockets says that it asks."""
PATIENCE = 60.0
"""Seconds after which a test fails that waits for what does not come."""
SUBPROTOCOLS = ["graphql-transport-ws", "graphql-ws"]

# Answers


def resumption(**fields: Any) -> dict[str, Any]:
    """Return an attempt as the platform sends it."""
    return {
        "executionIndex": 0,
        "clusterName": "c1",
        "cpus": 8,
        "gpuType": "a100_80gb",
        "gpus": 8,
        "nodes": 1,
        "status": "RUNNING",
        "startTime": "2026-01-01T00:00:01.000Z",
        "endTime": None,
        "estimatedEndTime": None,
        "reason": None,
    } | fields


def run(name: str = "run-a", status: str = "RUNNING", **fields: Any) -> dict[str, Any]:
    """Return a run as the platform sends it, with the details that most calls ignore."""
    return {
        "id": f"id-of-{name}",
        "name": name,
        "status": status,
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:02.000Z",
        "reason": "",
        "createdByEmail": "ada@example.com",
        "priority": "auto",
        "maxRetries": 0,
        "preemptible": False,
        "retryOnSystemFailure": False,
        "maxDurationSeconds": None,
        "isDeleted": False,
        "runType": "TRAINING",
        "resumptions": [resumption(status=status)],
        "details": details(),
    } | fields


def details(*statuses: str, **fields: Any) -> dict[str, Any]:
    """Return the details of a run that has been in these statuses."""
    return {
        "image": "bash",
        "originalRunInput": {"runName": "run", "image": "bash", "command": "true"},
        "metadata": {},
        "lastExecutionId": "e0",
        "lifecycle": [
            {
                "executionIndex": 0,
                "status": each,
                "startTime": "2026-01-01T00:00:00.000Z",
                "endTime": None,
                "reason": None,
            }
            for each in statuses
        ],
        "nodes": [],
        "formattedRunEvents": [],
    } | fields


def page(*runs: dict[str, Any], cursor: str | None = None) -> dict[str, Any]:
    """Return the answer to `getRunsPaginated`; with a cursor there is a page after it."""
    found = {"cursor": cursor, "hasNextPage": cursor is not None, "runs": list(runs)}
    return {"data": {"getRunsPaginated": found}}


def error(code: int, message: str) -> dict[str, Any]:
    """Return an answer that is one GraphQL error."""
    return {"errors": [{"message": message, "extensions": {"code": code}}], "data": None}


def chunk(data: bytes, end: int) -> dict[str, Any]:
    """Return what the log subscription delivers: bytes of the log that end at an offset."""
    return {"data": {"getRunLogsV2": {"chunk": base64.b64encode(data).decode(), "endOffset": end}}}


def status(text: str | None) -> dict[str, Any]:
    """Return what the watch delivers."""
    return {"data": {"watchRunStatus": text}}


class Call(NamedTuple):
    """A request as a server reads it."""

    operation: str
    variables: dict[str, Any]
    headers: httpx.Headers


def _call(body: bytes, headers: httpx.Headers) -> Call:
    payload = json.loads(body)
    name = re.search(r"(?:query|mutation|subscription) (\w+)", payload["query"])
    return Call(name[1] if name else "", payload["variables"], headers)


def response(answer: Any) -> httpx.Response:
    """Return an answer as HTTP carries it: a response as it is, all else as JSON."""
    return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)


def http(answer: Callable[[Call], Any]) -> httpx.MockTransport:
    """Return what carries HTTP without sockets; an exception that `answer` raises is a fault of the network."""

    async def handle(request: httpx.Request) -> httpx.Response:
        answered = answer(_call(request.content, request.headers))
        return response(await answered if inspect.isawaitable(answered) else answered)

    return httpx.MockTransport(handle)


class Script:
    """Answers one call after the other, as listed, and the last one for ever; remembers the calls."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.calls: list[Call] = []

    def __call__(self, call: Call) -> Any:
        self.calls.append(call)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(call) if callable(answer) else answer

    @property
    def operations(self) -> list[str]:
        """The names of the operations that were asked for."""
        return [each.operation for each in self.calls]


# Servers


class Server:
    """A server on a free loopback port, on a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="test-server")
        self._news = threading.Condition()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.connections = 0
        """How many were opened so far."""
        self.open = 0
        """How many are open now."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/graphql"

    def __enter__(self) -> Self:
        self._thread.start()
        self.call(self._begin())
        return self

    def __exit__(self, *_: object) -> None:
        self.call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._socket.close()

    async def _begin(self) -> None:
        raise NotImplementedError

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something on the server's loop and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def changed(self) -> None:
        """Let those look again who wait for something that the server sees."""
        with self._news:
            self._news.notify_all()

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until the server has seen what the condition looks at.

        Raises:
            AssertionError: It never did.
        """
        with self._news:
            assert self._news.wait_for(condition, PATIENCE), "what the test waits for never came"


class HttpServer(Server):
    """Answers requests as `answer` says; one that takes for ever ends when the client goes."""

    def __init__(self, answer: Callable[[Call], Any], tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self._answer, self._tls = answer, tls
        self.calls: list[Call] = []
        self.abandoned = 0
        """Requests whose client went before the answer."""

    async def _begin(self) -> None:
        self._server = await asyncio.start_server(self._serve, sock=self._socket, ssl=self._tls)

    async def _end(self) -> None:
        self._server.close()
        await super()._end()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while await self._exchange(reader, writer):
                    pass
        finally:
            self.open -= 1
            writer.close()
            if self._tls is not None:
                writer.transport.abort()  # a farewell in TLS would outlast the server
            self.changed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        headers = httpx.Headers([line.split(": ", 1) for line in head.split("\r\n")[1:] if line])  # type: ignore[arg-type]  # lists of two
        call = _call(await reader.readexactly(int(headers["content-length"])), headers)
        self.calls.append(call)
        self.changed()
        answer = self._answer(call)
        if inspect.isawaitable(answer):
            answer = await self._unless_gone(answer, reader)
        if answer is None:
            self.abandoned += 1
            return False
        if isinstance(answer, Exception):  # cut the connection, in the middle of what is said
            writer.write(b"HTTP/1.1 200 OK\r\n")
            return False
        writer.write(_raw(response(answer)))
        await writer.drain()
        return True

    async def _unless_gone(self, answer: Awaitable[Any], reader: asyncio.StreamReader) -> Any:
        """Wait for the answer, None if the client goes first."""
        answering, gone = asyncio.ensure_future(answer), asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({answering, gone}, return_when=asyncio.FIRST_COMPLETED)
            return answering.result() if answering.done() else None
        finally:
            answering.cancel()
            gone.cancel()


def _raw(answer: httpx.Response) -> bytes:
    answer.headers.setdefault("content-length", str(len(answer.content)))
    lines = [f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + answer.content


async def for_ever() -> None:
    """Answer never."""
    await asyncio.Event().wait()


class Subscription:
    """A subscription, as the server's script sees it."""

    def __init__(self, server: SocketServer, peer: ServerConnection, serial: str, call: Call) -> None:
        self._server, self._peer, self._serial = server, peer, serial
        self.operation, self.variables = call.operation, call.variables
        self.asked: dict[str, Any] = next(iter(call.variables.values()))
        """The one input that it has."""
        self.stopped = False
        """Whether the client left."""

    async def next(self, payload: dict[str, Any]) -> None:
        kind = "next" if self._peer.subprotocol == "graphql-transport-ws" else "data"
        await self._say(kind, payload)

    async def fail(self, code: int, message: str) -> None:
        """Send an error message: a list of errors in the newer subprotocol, one error in the older."""
        errors = error(code, message)["errors"]
        await self._say("error", errors if self._peer.subprotocol == "graphql-transport-ws" else errors[0])

    async def complete(self) -> None:
        await self._say("complete")

    async def drop(self, code: int = 1012) -> None:
        """Close the socket under all its subscriptions."""
        await self._peer.close(code)

    async def _say(self, kind: str, payload: Any = None) -> None:
        message = {"id": self._serial, "type": kind}
        with suppress(ConnectionClosed):
            await self._peer.send(json.dumps(message if payload is None else message | {"payload": payload}))


class SocketServer(Server):
    """Speaks GraphQL over websockets; `script` serves each subscription.

    Args:
        script: What to do for a subscription; cancelled when the client leaves it.
        subprotocols: Those that the server knows; an empty list: it picks none.
        greet: What to answer to `connection_init`, a message; or an integer, the code to close with.
        refuse: HTTP status of the answer to the handshake, in place of an upgrade.
    """

    def __init__(
        self,
        script: Callable[[Subscription], Awaitable[None]],
        subprotocols: list[str] | None = None,
        greet: dict[str, Any] | int | None = None,
        refuse: int | None = None,
    ) -> None:
        super().__init__()
        self._script = script
        self._subprotocols = SUBPROTOCOLS if subprotocols is None else subprotocols
        self._greet = {"type": "connection_ack"} if greet is None else greet
        self._refuse = refuse
        self.greetings: list[dict[str, Any]] = []
        self.subscriptions: list[Subscription] = []
        self._running: dict[tuple[ServerConnection, str], asyncio.Future[None]] = {}

    async def _begin(self) -> None:
        def refuse(peer: ServerConnection, _: object) -> Any:
            return peer.respond(self._refuse or 500, "no")

        self._server = await serve(
            self._serve,
            sock=self._socket,
            subprotocols=[Subprotocol(name) for name in self._subprotocols] or None,
            process_request=refuse if self._refuse else None,
            max_size=None,
        )

    async def _end(self) -> None:
        self._server.close()
        await self._server.wait_closed()
        await super()._end()

    async def _serve(self, peer: ServerConnection) -> None:
        self.connections += 1
        self.open += 1
        try:
            self.greetings.append(json.loads(await peer.recv()))
            if isinstance(self._greet, int):
                return await peer.close(self._greet)
            await peer.send(json.dumps(self._greet))
            async for raw in peer:
                self._receive(peer, json.loads(raw))
                self.changed()
        except ConnectionClosed:
            pass
        finally:
            self.open -= 1
            for key in [key for key in self._running if key[0] is peer]:
                self._running.pop(key).cancel()
            self.changed()

    def _receive(self, peer: ServerConnection, message: dict[str, Any]) -> None:
        serial = message.get("id", "")
        if message["type"] in {"subscribe", "start"}:
            call = _call(json.dumps(message["payload"]).encode(), httpx.Headers())
            subscription = Subscription(self, peer, serial, call)
            self.subscriptions.append(subscription)
            self._running[peer, serial] = asyncio.ensure_future(self._script(subscription))
        elif message["type"] in {"complete", "stop"}:
            next(
                each for each in self.subscriptions if (each._peer, each._serial) == (peer, serial)
            ).stopped = True
            if (peer, serial) in self._running:
                self._running.pop((peer, serial)).cancel()
