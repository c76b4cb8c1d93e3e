"""A client of nothing but the wire: plain HTTP, plain websockets, documents as other clients send them."""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from mcli.platform import Platform

PATIENCE = 60.0
"""Seconds after which a platform is taken to hang."""
HEAD = re.compile(rb"\A\[mcli\] Working folder: .*\n")
"""The first line of each log of a node."""

NEW, OLD = Subprotocol("graphql-transport-ws"), Subprotocol("graphql-ws")

RUN = """
id name status createdAt updatedAt reason createdByEmail priority maxRetries preemptible retryOnSystemFailure
maxDurationSeconds isDeleted runType
resumptions { clusterName cpus gpuType gpus nodes executionIndex startTime endTime status estimatedEndTime reason }
details {
  image originalRunInput metadata lastExecutionId
  lifecycle { executionIndex status startTime endTime reason }
  nodes { rank name status reason }
  formattedRunEvents { resumptionIndex eventType eventTime eventMessage }
}
"""
PAGE = f"""
query GetRunsPaginated($getRunsPaginatedData: GetRunsPaginatedInput!) {{
  getRunsPaginated(getRunsPaginatedData: $getRunsPaginatedData) {{ cursor hasNextPage runs {{ {RUN} }} }}
}}
"""
CREATE = f"""
mutation CreateRun($createRunData: CreateRunInput!) {{ createRun(createRunData: $createRunData) {{ {RUN} }} }}
"""
STATUS = """
subscription Subscription($watchRunStatusInput: WatchRunStatusInput!) {
  watchRunStatus(watchRunStatusInput: $watchRunStatusInput)
}
"""
LOGS = """
subscription Subscription($getRunLogsInput: GetRunLogsInput!) {
  getRunLogsV2(getRunLogsInput: $getRunLogsInput) { chunk endOffset }
}
"""


class Socket:
    """A websocket that speaks one of the subprotocols."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.is_new = connection.subprotocol == NEW

    def say(self, **message: Any) -> None:
        self.connection.send(json.dumps(message))

    def hear(self) -> dict[str, Any]:
        """Receive the next message but keep-alives."""
        while True:
            message: dict[str, Any] = json.loads(self.connection.recv(timeout=PATIENCE))
            if message["type"] != "ka":
                return message

    def greet(self, key: str) -> None:
        self.say(type="connection_init", payload={"Authorization": key})
        assert {"type": "connection_ack"} == self.hear()

    def subscribe(self, document: str, variables: dict[str, Any], key: str = "1") -> None:
        kind = "subscribe" if self.is_new else "start"
        self.say(type=kind, id=key, payload={"query": document, "variables": variables})

    def watch(self, name: str, key: str = "1") -> None:
        self.subscribe(STATUS, {"watchRunStatusInput": {"name": name}}, key)

    def follow(self, name: str, key: str = "1", **wanted: Any) -> None:
        self.subscribe(LOGS, {"getRunLogsInput": {"name": name, "follow": True, "offset": 0, **wanted}}, key)

    def hear_error(self) -> tuple[int, str]:
        """Receive the `error` of a subscription, in the shape of the subprotocol: its code and its message."""
        message = self.hear()
        assert message["type"] == "error", message
        error = message["payload"][0] if self.is_new else message["payload"]
        return error["extensions"]["code"], error["message"]

    def hear_close(self) -> int:
        """Receive until the server closes the socket, and give the code."""
        try:
            while True:
                self.hear()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 0

    def results(self) -> Iterator[Any]:
        """Receive what the only subscription yields until it is complete."""
        while (message := self.hear())["type"] != "complete":
            assert message["type"] in {"next", "data"}, message
            yield from message["payload"]["data"].values()


class Caller:
    """Somebody with a key who uses a platform."""

    def __init__(self, platform: Platform, key: str | None = None) -> None:
        self.platform = platform
        self.endpoint = platform.endpoint
        self.key = platform.api_key if key is None else key
        self.http = httpx.Client(headers={"Authorization": self.key}, timeout=PATIENCE)

    def close(self) -> None:
        self.http.close()

    def post(self, document: str, variables: dict[str, Any], **headers: str) -> httpx.Response:
        body = {"query": document, "variables": variables}
        return self.http.post(self.endpoint, json=body, headers=headers)

    def send(self, document: str, **variables: Any) -> Any:
        """Give the one field of the answer, which must hold no error."""
        answer = self.post(document, variables).json()
        assert "errors" not in answer, answer["errors"]
        (value,) = answer["data"].values()
        return value

    def error(self, document: str, **variables: Any) -> tuple[int, str]:
        """Give code and message of the one error that the answer must hold."""
        (error,) = self.post(document, variables).json()["errors"]
        return error["extensions"]["code"], error["message"]

    def change(self, field: str, name: str, more: str = "") -> dict[str, Any]:
        """Send a mutation about one run, like `stopRuns`, and give the run."""
        document = f"""mutation M($data: GetRunsInput!) {{
            {field}(getRunsData: $data {more}) {{ {RUN} }} }}"""
        (run,) = self.send(document, data={"filters": {"name": {"in": [name]}}})
        return dict(run)

    def create(self, command: str, **run_input: Any) -> str:
        """Submit a run and give its name."""
        given = {"runName": "test", "image": "bash", "command": command, "compute": {"gpus": 0}, **run_input}
        (run,) = self.send(CREATE, createRunData={"runInput": given})
        return str(run["name"])

    def refusal(self, command: str = "true", **run_input: Any) -> tuple[int, str]:
        """Submit a run that must be refused, and give the error."""
        given = {"runName": "test", "image": "bash", "command": command, "compute": {"gpus": 0}, **run_input}
        return self.error(CREATE, createRunData={"runInput": given})

    def page(self, **data: Any) -> dict[str, Any]:
        page: dict[str, Any] = self.send(PAGE, getRunsPaginatedData={"filters": {}, **data})
        return page

    def run(self, name: str, **data: Any) -> dict[str, Any]:
        (run,) = self.page(filters={"name": {"in": [name]}}, **data)["runs"]
        return dict(run)

    @contextmanager
    def socket(self, *subprotocols: Subprotocol, greet: bool = True) -> Iterator[Socket]:
        url = self.endpoint.replace("http", "ws", 1)
        with connect(url, subprotocols=subprotocols or (NEW,), max_size=None) as connection:
            socket = Socket(connection)
            if greet:
                socket.greet(self.key)
            yield socket

    def statuses(self, name: str) -> list[str]:
        """Watch a run to its end."""
        with self.socket() as socket:
            socket.watch(name)
            return list(socket.results())

    def wait(self, name: str, status: str) -> None:
        """Watch a run until it has a status."""
        with self.socket() as socket:
            socket.watch(name)
            assert status in socket.results()

    def finish(self, command: str, **run_input: Any) -> dict[str, Any]:
        """Submit a run and give it after its end."""
        name = self.create(command, **run_input)
        self.statuses(name)
        return self.run(name)

    def logs(self, name: str, **wanted: Any) -> bytes:
        """Give a log as it is now, after the line that names the working folder; with `follow` as it is at the end."""
        with self.socket() as socket:
            socket.follow(name, **{"follow": False, **wanted})
            text = b"".join(base64.b64decode(chunk["chunk"]) for chunk in socket.results())
        return HEAD.sub(b"", text)

    def wait_for_log(self, name: str, text: bytes, **wanted: Any) -> None:
        """Follow a log until it holds a text."""
        seen = b""
        with self.socket() as socket:
            socket.follow(name, **wanted)
            for chunk in socket.results():
                seen += base64.b64decode(chunk["chunk"])
                if text in HEAD.sub(b"", seen):
                    return
        raise AssertionError(f"{text!r} is not in {seen!r}")

    def log_error(self, name: str, **wanted: Any) -> tuple[int, str]:
        """Ask for a log that must be refused, and give the error."""
        with self.socket() as socket:
            socket.follow(name, **{"follow": False, **wanted})
            return socket.hear_error()
