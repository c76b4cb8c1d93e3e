"""Subscriptions in both subprotocols, as any client may speak them."""

import base64
import json
from collections.abc import Iterator

import pytest
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from tests.platform.caller import NEW, OLD, PATIENCE, STATUS, Caller, Socket

BOTH = pytest.mark.parametrize("protocol", [NEW, OLD])


@pytest.fixture
def sleeper(caller: Caller) -> Iterator[str]:
    """A run that goes on."""
    name = caller.create("sleep 600")
    caller.wait(name, "RUNNING")
    yield name
    caller.change("stopRuns", name)


@BOTH
def test_watch_gives_every_status(caller: Caller, protocol: Subprotocol) -> None:
    """A watch begins with the status that there is, gives every later one once, and ends after the last."""
    order = ["PENDING", "QUEUED", "STARTING", "RUNNING", "TERMINATING", "COMPLETED"]
    name = caller.create("sleep 0.2")
    with caller.socket(protocol) as socket:
        socket.watch(name)
        seen = list(socket.results())
    assert order[-len(seen) :] == seen
    assert len(seen) >= 2


@BOTH
def test_watch_of_an_ended_run(caller: Caller, protocol: Subprotocol) -> None:
    """Watching a run that has ended gives its status and ends."""
    name = caller.finish("true")["name"]
    with caller.socket(protocol) as socket:
        socket.watch(name)
        assert ["COMPLETED"] == list(socket.results())


def test_better_protocol_is_chosen(caller: Caller) -> None:
    """Of both subprotocols the newer one is chosen, in whatever order they are offered."""
    with caller.socket(OLD, NEW) as socket:
        assert NEW == socket.connection.subprotocol


def test_no_protocol_means_the_old_one(caller: Caller, sleeper: str) -> None:
    """Who offers no subprotocol speaks `graphql-ws`."""
    with connect(caller.endpoint.replace("http", "ws")) as connection:
        socket = Socket(connection)
        socket.greet(caller.key)
        socket.watch(sleeper)
        assert {
            "id": "1",
            "type": "data",
            "payload": {"data": {"watchRunStatus": "RUNNING"}},
        } == socket.hear()


@BOTH
def test_missing_run_is_an_error(caller: Caller, protocol: Subprotocol) -> None:
    """Watching a run that does not exist is an `error` 404: a list of them in the new protocol, one in the old."""
    with caller.socket(protocol) as socket:
        socket.watch("nobody")
        assert 404 == socket.hear_error()[0]


@BOTH
def test_wrong_key_is_an_error(caller: Caller, sleeper: str, protocol: Subprotocol) -> None:
    """With a wrong key the socket is accepted, as old clients would try for ever, and the answer is a 401."""
    with caller.socket(protocol, greet=False) as socket:
        socket.greet("wrong")
        socket.watch(sleeper)
        assert 401 == socket.hear_error()[0]


def test_key_is_needed_before_subscriptions(caller: Caller, sleeper: str) -> None:
    """A subscription without `connection_init` is an error 401."""
    with caller.socket(greet=False) as socket:
        socket.watch(sleeper)
        assert 401 == socket.hear_error()[0]


def test_many_subscriptions_share_a_socket(caller: Caller) -> None:
    """Subscriptions on one socket do not hold each other up."""
    names = [caller.create("sleep 0.1") for _ in range(10)]
    with caller.socket() as socket:
        for name in names:
            socket.watch(name, key=name)
        last: dict[str, str] = {}
        done = set[str]()
        while len(done) < len(names):
            message = socket.hear()
            if message["type"] == "complete":
                done.add(message["id"])
            else:
                last[message["id"]] = message["payload"]["data"]["watchRunStatus"]
    assert dict.fromkeys(names, "COMPLETED") == last


def test_complete_ends_a_subscription(caller: Caller, sleeper: str) -> None:
    """After `complete` of the client nothing comes any more, and the id can be used again."""
    with caller.socket(NEW) as socket:
        socket.watch(sleeper)
        socket.hear()
        socket.say(type="complete", id="1")
        socket.watch(sleeper)
        assert "next" == socket.hear()["type"]


def test_stop_is_answered_by_complete(caller: Caller, sleeper: str) -> None:
    """In the old protocol `stop` is answered by `complete`."""
    with caller.socket(OLD) as socket:
        socket.watch(sleeper)
        socket.hear()
        socket.say(type="stop", id="1")
        assert {"type": "complete", "id": "1"} == socket.hear()


def test_ping_is_answered(caller: Caller) -> None:
    """A `ping` of the client gets a `pong`."""
    with caller.socket(NEW) as socket:
        socket.say(type="ping")
        assert {"type": "pong"} == socket.hear()


def test_id_in_use(caller: Caller, sleeper: str) -> None:
    """A second subscription with the id of a living one closes the socket with 4409."""
    with caller.socket(NEW) as socket:
        socket.watch(sleeper)
        socket.watch(sleeper)
        assert 4409 == socket.hear_close()


@pytest.mark.parametrize(
    "text", ["{", "[]", "[" * 100_000, '{"type": "shout"}', '{"type": "connection_init", "payload": 1}']
)
def test_nonsense_closes_the_socket(caller: Caller, text: str) -> None:
    """What is no message of the subprotocol closes the socket with 4400."""
    with caller.socket(greet=False) as socket:
        socket.connection.send(text)
        assert 4400 == socket.hear_close()


def test_document_must_be_valid(caller: Caller) -> None:
    """A document that the schema does not allow is an error 400 of its subscription."""
    with caller.socket() as socket:
        socket.subscribe("subscription { watchRunStatus }", {})
        assert 400 == socket.hear_error()[0]


def test_queries_over_the_socket(caller: Caller) -> None:
    """Queries are answered over websockets as well."""
    with caller.socket() as socket:
        socket.subscribe("{ getUsers(getUsersData: {}) { organizations { name } } }", {})
        assert [[{"organizations": [{"name": "local"}]}]] == list(socket.results())


def test_foreign_pages_are_kept_out(caller: Caller) -> None:
    """A page of another host cannot open a socket."""
    with (
        pytest.raises(Exception, match="403"),
        connect(
            caller.endpoint.replace("http", "ws"), subprotocols=[NEW], origin=Origin("http://evil.example")
        ),
    ):
        pass


def test_slow_reader_gets_everything(caller: Caller) -> None:
    """A reader that comes late for each piece gets the whole log, and does not hold up others on its socket."""
    name = caller.create("yes | head -c 20000000")
    caller.statuses(name)
    with caller.socket() as socket:
        socket.follow(name, key="log")
        socket.subscribe(STATUS, {"watchRunStatusInput": {"name": name}}, key="status")
        seen, position = set[str](), 0
        while seen < {"log", "status"}:
            message = socket.hear()
            if message["type"] == "complete":
                seen.add(message["id"])
            elif message["id"] == "log":
                position = message["payload"]["data"]["getRunLogsV2"]["endOffset"]
    (log,) = (caller.platform.data_dir / "runs" / name).glob("0/0/log.txt")
    assert log.stat().st_size == position


def test_a_fast_reader_holds_up_nobody(caller: Caller) -> None:
    """While somebody reads a long log as fast as it comes, a ping on the same socket is answered."""
    name = caller.finish("yes | head -c 100000000")["name"]
    with caller.socket() as socket:
        socket.follow(name, follow=False)
        socket.say(type="ping")
        position = 0
        while (message := socket.hear())["type"] == "next":
            position = message["payload"]["data"]["getRunLogsV2"]["endOffset"]
        assert "pong" == message["type"]
        assert position < 100_000_000


def test_who_leaves_ends_what_was_sent(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is sent any more to somebody who left in the middle of a long log."""
    name = caller.finish("yes | head -c 50000000")["name"]
    with caller.socket() as socket:
        socket.follow(name, follow=False)
        socket.hear()
        socket.connection.socket.shutdown(2)
    assert 50_000_000 == len(caller.logs(name))
    assert [] == [record.message for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://localhost.evil.example"}])
def test_refused_handshake_says_why(caller: Caller, headers: dict[str, str]) -> None:
    """A socket that is refused gets the message in the form of all errors, as JSON."""
    asked = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    asked["Sec-WebSocket-Key"] = base64.b64encode(bytes(16)).decode()
    answer = caller.http.get(caller.endpoint, headers=asked | headers)
    (error,) = answer.json()["errors"]
    assert (403, 403) == (answer.status_code, error["extensions"]["code"])
    assert "evil.example" in error["message"]


def test_long_message_closes_the_socket(caller: Caller) -> None:
    """A message of more than a megabyte is not kept: the socket is closed with 1009."""
    with caller.socket(greet=False) as socket:
        socket.say(type="connection_init", payload={"x": "x" * (2 << 20)})
        assert 1009 == socket.hear_close()


def test_frames_are_compact_json(caller: Caller, sleeper: str) -> None:
    """Messages have no spaces to spare."""
    with caller.socket() as socket:
        socket.watch(sleeper)
        text = socket.connection.recv(timeout=PATIENCE)
    assert json.dumps(json.loads(text), separators=(",", ":")) == text
