"""Ask the platform what schemathesis makes up from its schema, and check each answer: `python -m tests.contract.cases`.

Half of the questions are about something that is there: some texts are replaced by names of runs and secrets.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import httpx
import schemathesis
from graphql import GraphQLSchema, StringValueNode, Visitor, build_schema, parse, print_ast, visit
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.graphql import nodes

from mcli.platform import Platform
from mcli.platform.scheduling.cluster import virtual
from mcli.platform.serving.api import schema_text
from tests.contract.conformance import problems

if TYPE_CHECKING:
    from collections.abc import Callable

CASES = 2000
SECONDS = 300
NEGATIVE = 5
"""One of so many cases is made to break the schema."""
SECRET = "secret-of-the-contract"
TIMES = [
    "2024-06-04",
    "2024-06-04T02:35:56+02:00",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-12:00",
    "x",
    "",
]
SCALARS = {
    "JSON": st.recursive(
        st.none().map(lambda _: nodes.Null)
        | st.booleans().map(nodes.Boolean)
        | st.integers().map(nodes.Int)
        | st.floats(allow_nan=False, allow_infinity=False).map(nodes.Float)
        | st.text(max_size=20).map(nodes.String),
        lambda inner: st.lists(inner, max_size=3).map(nodes.List),
        max_leaves=5,
    ),
    "DateTime": st.sampled_from(TIMES).map(nodes.String)
    | st.datetimes().map(lambda each: nodes.String(each.isoformat())),
    "ByteOffset": st.integers(-1, 2**63).map(nodes.Int),
}


class Findings:
    """What was asked, how it was answered, and what was wrong."""

    def __init__(self, ask: Callable[[str], httpx.Response], schema: GraphQLSchema) -> None:
        self._ask = ask
        self._schema = schema
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.wrong: dict[str, str] = {}

    def ask(self, operation: str, document: str) -> None:
        """Send a document, and note what is wrong with its answer."""
        response = self._ask(document)
        self.asked[operation] += 1
        try:
            answer = response.json()
        except ValueError:
            answer = response.text
        codes = (
            [each.get("extensions", {}).get("code") for each in answer.get("errors", ())]
            if isinstance(answer, dict)
            else []
        )
        self.answered[str(codes[0]) if codes else "data"] += 1
        for problem in problems(self._schema, document, response.status_code, answer):
            self.wrong.setdefault(f"{operation}: {problem}"[:500], document[:1000])


class Renaming(Visitor):
    """Replaces some of the texts of a document by names of what is there."""

    def __init__(self, names: list[str], chance: random.Random) -> None:
        super().__init__()
        self._names = names
        self._chance = chance

    def enter_string_value(self, node: StringValueNode, *_: object) -> StringValueNode | None:
        if self._chance.random() < 0.5:
            return None
        return StringValueNode(value=self._chance.choice(self._names))


def ask_all(findings: Findings, platform: Platform, names: list[str], seed: int) -> None:
    """Ask about every query and mutation, as often as is needed: of some there are only a few different questions."""
    headers = {"Authorization": platform.api_key}
    schema = schemathesis.graphql.from_url(platform.endpoint, headers=headers)
    operations = [found.ok() for found in schema.get_all_operations()]
    while (left := CASES - findings.asked.total()) > 0:
        share, seed = -(-left // len(operations)), seed + 1
        for operation in operations:
            for mode, count in (
                (GenerationMode.POSITIVE, share - share // NEGATIVE),
                (GenerationMode.NEGATIVE, share // NEGATIVE),
            ):
                cases = st.tuples(operation.as_strategy(generation_mode=mode), st.randoms())
                ask_about(findings, operation.label, cases, names, count=max(count, 1), seed=seed)


def ask_about(
    findings: Findings,
    operation: str,
    cases: st.SearchStrategy[tuple[Any, random.Random]],
    names: list[str],
    *,
    count: int,
    seed: int,
) -> None:
    """Ask so many questions about one operation."""

    @seeded(seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases)
    def ask(drawn: tuple[Any, random.Random]) -> None:
        case, chance = drawn
        findings.ask(operation, print_ast(visit(parse(case.body), Renaming(names, chance))))

    ask()


CREATE = """mutation { createRun(createRunData: {runInput: {runName: "run", image: "i", command: "%s",
compute: {gpus: 0}}}) { name } }"""
SECRETS = """mutation { createSecret(createSecretData: {envVarSecret: {name: "%s", value: "v", metadata: {key: "K"}}})
{ name } }"""


def populate(ask: Callable[[str], httpx.Response]) -> list[str]:
    """Make a run that goes on, one that ends, and a secret; return their names, and others that mean something."""
    runs = [ask(CREATE % command).json()["data"]["createRun"][0]["name"] for command in ("sleep 999", "true")]
    assert "errors" not in ask(SECRETS % SECRET).json()
    return [*runs, SECRET, "local", ""]


def main() -> int:
    """Ask, print what was found, and return the exit status."""
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(2**32)
    for name, strategy in SCALARS.items():
        schemathesis.graphql.scalar(name, strategy)
    begin = time.monotonic()
    with TemporaryDirectory() as programs:
        # made-up commands are executed: they find nothing but bash and its builtins
        (Path(programs) / "bash").symlink_to(shutil.which("bash") or "/bin/bash")
        os.environ["PATH"] = programs
        with (
            Platform(cluster=virtual(2, 8, "a100_80gb"), grace=1) as platform,
            httpx.Client(headers={"Authorization": platform.api_key}, timeout=60) as client,
        ):

            def ask(document: str) -> httpx.Response:
                return client.post(platform.endpoint, json={"query": document})

            findings = Findings(ask, build_schema(schema_text()))
            ask_all(findings, platform, populate(ask), seed)
    seconds = time.monotonic() - begin
    for problem, document in findings.wrong.items():
        print(f"{problem}\n    {document}\n")
    print(
        f"seed {seed}: {findings.asked.total()} cases in {seconds:.0f} s, answered {dict(findings.answered)}"
    )
    print(f"findings: {len(findings.wrong)}")
    return int(bool(findings.wrong) or findings.asked.total() < CASES or seconds > SECONDS)


if __name__ == "__main__":
    sys.exit(main())
