"""Faults such as people make, to be planted in `mcli/` one at a time: the tests must notice each."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FAULTS", "Fault"]


class Fault(NamedTuple):
    """One change of one file."""

    title: str
    path: str
    right: str
    """Text that stands in the file once."""
    wrong: str
    """Text to put in its place."""
    tests: str
    """Tests that are tried first, below `tests/`: all others follow only if these notice nothing."""


FAULTS = [
    # Pages and lists
    Fault(
        "a page after the last",
        "mcli/runs.py",
        "page.cursor if page.has_next_page else None",
        "page.cursor",
        "properties/test_listings.py",
    ),
    Fault(
        "the new size of a page is forgotten",
        "mcli/_core/paging.py",
        '"limit": limit if new_limit is None else new_limit}',
        '"limit": limit}',
        "properties/test_listings.py",
    ),
    Fault(
        "only the first page of named runs",
        "mcli/_core/paging.py",
        "        if following is None:\n",
        "        if True:\n",
        "properties/test_listings.py",
    ),
    Fault(
        "pages that never end are read for ever",
        "mcli/_core/paging.py",
        "if following is not None and cursor == following:",
        "if False:",
        "properties/test_listings.py",
    ),
    Fault(
        "a later page repeats the last run of the one before",
        "mcli/platform/state/selection.py",
        "AND sequence < ?",
        "AND sequence <= ?",
        "properties/test_machine.py",
    ),
    Fault(
        "the last run of a full page is lost",
        "mcli/platform/state/selection.py",
        'rows[limit - 1]["sequence"]',
        'rows[limit]["sequence"]',
        "properties/test_machine.py",
    ),
    # Arguments
    Fault(
        "gte and lt swapped",
        "mcli/_run_filters.py",
        'ends["gte"] = time_text(after, after_name)',
        'ends["lt"] = time_text(after, after_name)',
        "properties/test_round_trips.py",
    ),
    Fault(
        "an empty list of names deletes every run",
        "mcli/runs.py",
        "(await client.delete_runs(_select(names))).delete_runs if names else []",
        "(await client.delete_runs(_select(names))).delete_runs",
        "test_runs.py",
    ),
    Fault(
        "hours for seconds",
        "mcli/_run_updates.py",
        "int(hours * 3600 + 1e-6)",
        "int(hours)",
        "properties/test_round_trips.py",
    ),
    Fault(
        "the last second of a duration is lost",
        "mcli/_run_updates.py",
        "int(hours * 3600 + 1e-6)",
        "int(hours * 3600)",
        "properties/test_round_trips.py",
    ),
    Fault(
        "a timeout that was given is replaced",
        "mcli/_core/operations.py",
        "        if timeout is self:\n",
        "        if timeout is self or timeout:\n",
        "test_operations.py::test_mcli_timeout_replaces_no_timeout_that_was_given",
    ),
    # Answers
    Fault(
        "minutes for hours in what is read",
        "mcli/_run_values.py",
        "seconds if seconds is None else seconds / 3600",
        "seconds if seconds is None else seconds / 60",
        "properties/test_round_trips.py",
    ),
    Fault(
        "an adapter drops max_retries",
        "mcli/_run_values.py",
        '        "max_retries",\n',
        "",
        "properties/test_adapters.py",
    ),
    Fault(
        "an adapter drops the reason of a lifecycle span",
        "mcli/_run_values.py",
        '    RunLifecycleFields,\n    "reason",\n',
        "    RunLifecycleFields,\n",
        "properties/test_adapters.py",
    ),
    Fault(
        "the statuses are closed",
        "mcli/status.py",
        "cls.__members__.get(snake_case.upper(), cls.UNKNOWN)",
        "cls.__members__[snake_case.upper()]",
        "properties/test_adapters.py",
    ),
    Fault(
        "data goes before errors",
        "mcli/_core/answers.py",
        "    if envelope.errors:\n        raise from_graphql(envelope.errors, status)\n",
        "    if envelope.errors and envelope.data is None:\n        raise from_graphql(envelope.errors, status)\n",
        "properties/test_operations.py",
    ),
    Fault(
        "the lowest status of several errors",
        "mcli/exceptions.py",
        "highest = max(",
        "highest = min(",
        "test_exceptions.py",
    ),
    Fault(
        "COMPLETED is not terminal",
        "mcli/status.py",
        "self >= RunStatus.COMPLETED",
        "self > RunStatus.COMPLETED",
        "test_status.py",
    ),
    # Requests
    Fault(
        "an ambiguous mutation is repeated",
        "mcli/_core/transport.py",
        "repeatable = not changes or (unknown and await self._remembers(endpoint))",
        "repeatable = True",
        "test_transport.py",
    ),
    Fault(
        "a 503 is taken for a promise that nothing was done",
        "mcli/_core/retry.py",
        "return failure.kind is Kind.LOST or (failure.kind is Kind.REFUSED and failure.status != 429)",
        "return failure.kind is Kind.LOST",
        "test_retry.py",
    ),
    Fault(
        "Retry-After is ignored",
        "mcli/_core/retry.py",
        "if failure.retry_after is not None:",
        "if False:",
        "properties/test_retry.py",
    ),
    # Logs and watches
    Fault(
        "an overlap is not trimmed",
        "mcli/_log_text.py",
        "data[max(known, 0) :]",
        "data",
        "properties/test_logs.py",
    ),
    Fault(
        "bytes that are no UTF-8 are dropped",
        "mcli/_log_text.py",
        '("utf-8")("replace")',
        '("utf-8")("ignore")',
        "test_log_text.py properties/test_logs.py",
    ),
    Fault(
        "the rest of the log's last character is lost",
        "mcli/logs.py",
        "    yield decoder.end()\n",
        "",
        "properties/test_subscriptions.py",
    ),
    Fault(
        "a resumed log asks for its tail again",
        "mcli/logs.py",
        '            asked.pop("tail", None)\n',
        "",
        "test_logs.py",
    ),
    Fault(
        "the server is not told that a subscription was left",
        "mcli/_core/link.py",
        "            self._say(id=serial, type=self._verbs.stop)\n",
        "            pass\n",
        "faults/test_ends.py",
    ),
    Fault(
        "a lock left out: each cold subscription opens its own socket",
        "mcli/_core/socket.py",
        "        if self._opening is None:\n            self._opening = asyncio.create_task(self._open())",
        "        if True:\n            self._opening = asyncio.create_task(self._open())",
        "test_watches.py",
    ),
    # Configuration
    Fault(
        "names and values of variables swapped",
        "mcli/_run_input.py",
        '{"envKey": key, "envValue": text}',
        '{"envKey": text, "envValue": key}',
        "properties/test_values.py",
    ),
    Fault(
        "names longer than a suffix leaves room for are mended",
        "mcli/_run_names.py",
        "\nLONGEST_STEM = 56",
        "\nLONGEST_STEM = 63",
        "properties/test_names.py",
    ),
    Fault(
        "NaN is sent as it is",
        "mcli/_json.py",
        "return float(value) if math.isfinite(value) else _float_text(value)",
        "return float(value)",
        "properties/test_values.py",
    ),
    Fault(
        "secrets are in reprs",
        "mcli/secret_types.py",
        "functools.partial(field, default=None, repr=False)",
        "functools.partial(field, default=None, repr=True)",
        "properties/test_values.py",
    ),
    Fault(
        "the key's file is for everybody",
        "mcli/_config_file.py",
        "os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600",
        "os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644",
        "test_config.py",
    ),
    # The local platform
    Fault(
        "a retry too many",
        "mcli/platform/execution/outcome.py",
        'if counts["user"] >= run.max_retries:',
        'if counts["user"] > run.max_retries:',
        "platform/test_outcome.py",
    ),
    Fault(
        "the limit of an attempt is over a moment too late",
        "mcli/platform/execution/attempt.py",
        "due > transaction.now",
        "due >= transaction.now",
        "properties/test_machine.py",
    ),
    # Rights
    Fault(
        "the token of a run is looked up but not taken out",
        "mcli/platform/state/users.py",
        "self._users.pop(digest, None)",
        "self._users.get(digest)",
        "platform/test_lifetimes.py",
    ),
    Fault(
        "tokens of runs are kept in the database",
        "mcli/platform/state/users.py",
        '"DELETE FROM keys WHERE run_id = ? RETURNING digest"',
        '"SELECT digest FROM keys WHERE run_id = ?"',
        "platform/test_lifetimes.py",
    ),
    Fault(
        "the Origin is compared by how it begins",
        "mcli/platform/serving/access.py",
        "if origin is not None and _host(origin) not in self.hosts:",
        "if origin is not None and not (_host(origin) or '').startswith(tuple(self.hosts)):",
        "platform/test_server.py",
    ),
    Fault(
        "names of variables are compared by how they begin",
        "mcli/platform/execution/environment.py",
        "if _FROM_HOST.fullmatch(name)",
        "if _FROM_HOST.match(name)",
        "platform/test_environment.py",
    ),
    Fault(
        "an idempotency key is everybody's",
        "mcli/platform/serving/api.py",
        "return Once(self.user.id,",
        'return Once("",',
        "platform/test_lifetimes.py",
    ),
    Fault(
        "whoever has the number of a supervisor is taken for it",
        "mcli/platform/execution/rank_files.py",
        "if self.supervisor is None or identity(self.supervisor[0]) != self.supervisor[1]:",
        "if self.supervisor is None or identity(self.supervisor[0]) is None:",
        "platform/test_lifetimes.py",
    ),
    # Resources
    Fault(
        "a refused socket stays open",
        "mcli/_core/socket.py",
        "            await socket.close()\n",
        "",
        "test_lifetimes.py",
    ),
    Fault(
        "what a bound rank watches stays open",
        "mcli/platform/execution/processes.py",
        "        for bond in self._bonds.pop(key, ()):\n            os.close(bond)\n",
        "        self._bonds.pop(key, ())\n",
        "platform/test_lifetimes.py",
    ),
    Fault(
        "the handle of a rank stays open",
        "mcli/platform/execution/processes.py",
        "        if self._handle is not None:\n            os.close(self._handle)",
        "        if self._handle is not None:",
        "platform/test_lifetimes.py",
    ),
    Fault(
        "a websocket that drops leaves its subscriptions",
        "mcli/platform/serving/subscriptions.py",
        "            for task in tasks:\n                task.cancel()\n",
        "",
        "platform/test_lifetimes.py",
    ),
    # What many share, and what progress resets
    Fault(
        "who leaves ends what others wait for",
        "mcli/_core/socket.py",
        "return await asyncio.shield(self._opening)",
        "return await self._opening",
        "test_lifetimes.py",
    ),
    Fault(
        "the backoff never begins anew",
        "mcli/_core/socket.py",
        "    def received(self) -> None:\n        self._used = 0",
        "    def received(self) -> None:\n        pass",
        "test_lifetimes.py",
    ),
    Fault(
        "all that ever came counts against the limit of a log",
        "mcli/_core/link.py",
        "            self._size = 0\n",
        "",
        "test_lifetimes.py",
    ),
    Fault(
        "earlier failures count when a run is started again",
        "mcli/platform/state/records.py",
        '        self.failures = {"user": 0, "system": 0, "in_a_row": 0}\n        self.resume(transaction)',
        "        self.resume(transaction)",
        "platform/test_lifetimes.py",
    ),
    Fault(
        "the last stop says why",
        "mcli/platform/submission/runs.py",
        'if (run.stopping or {}).get("kind") != "user":',
        "if True:",
        "platform/test_lifetimes.py",
    ),
    # Bounds and units
    Fault(
        "a body may be one byte too long",
        "mcli/platform/serving/server.py",
        "if size > LARGEST_BODY:",
        "if size > LARGEST_BODY + 1:",
        "platform/test_server.py",
    ),
    Fault(
        "metadata is measured in characters",
        "mcli/platform/submission/checks.py",
        'size = len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())',
        'size = len(json.dumps(value, separators=(",", ":"), ensure_ascii=False))',
        "platform/test_checks.py",
    ),
    Fault(
        "times in tables keep the zone that they came in",
        "mcli/pages.py",
        "return pd.to_datetime(pd.Series(values), utc=True)",
        "return pd.to_datetime(pd.Series(values))",
        "test_pages.py",
    ),
]
