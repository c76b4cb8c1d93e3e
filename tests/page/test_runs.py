"""The page's part on runs: launching, listing, changing, stopping, starting and deleting them."""

from __future__ import annotations

import functools
import warnings
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import mcli
from mcli import GPUType, MAPIException, PaginatedObjectList, Run, RunConfigException, RunStatus, RunType
from tests.page.claims import claims, config, done, error, fake, kind, quietly, run, sent

if TYPE_CHECKING:
    from collections.abc import Callable


def names(runs: list[Run]) -> list[str]:
    return [each.name for each in runs]


def created(**fields: Any) -> dict[str, Any]:
    """Return the input of a run as it is sent."""
    return dict(sent(lambda: mcli.create_run(config(**fields)))["createRunData"]["runInput"])


def submitted_and_changed() -> str:
    """Change a configuration after it was submitted, and return the command of the run."""
    made = config("true # first")
    future = mcli.create_run(made, future=True)
    made.command = "true # second"
    return future.result(60).submitted_config.command


def interactive(seconds: int | None = 60, **fields: Any) -> Run:
    made = mcli.create_interactive_run(mcli.RunConfig(compute={"gpus": 0}, **fields), seconds=seconds)
    mcli.stop_run(made)
    return made


@claims(
    ("create_run gives a Run with details and a status", RunStatus.PENDING, lambda: run().status),
    ("create_run gives the launched run's details", "true", lambda: run().submitted_config.command),
    ("create_run persists the run", True, lambda: (lambda made: mcli.get_run(made).run_uid == made.run_uid)(run())),
    ("create_run makes the name unique", 2, lambda: len({run().name, run().name})),
    ("create_run keeps the name that was asked for as the beginning", True, lambda: run().name.startswith("page-")),
    ("create_run takes a fully configured run as `run`", True, lambda: isinstance(mcli.create_run(run=config()), Run)),
    ("create_run reads the configuration at the call", "true # first", submitted_and_changed),
    ("create_run needs enough information: an image", 400,
        lambda: error(lambda: mcli.create_run(config(image=None))).status),
    ("create_run needs enough information: a name", RunConfigException, lambda: kind(lambda: run(name=None))),
    ("create_run needs enough information: a command", RunConfigException, lambda: kind(lambda: run(command=""))),
    ("create_run takes nothing but a RunConfig", TypeError, lambda: kind(lambda: mcli.create_run("a"))),
    ("a bad config raises a MAPIException with a 400 status code", (True, 400), lambda: (
        lambda e: (isinstance(e, MAPIException), e.status))(error(lambda: run(compute={"gpus": "8x"})))),
    ("a config that the platform refuses raises a MAPIException with a 400 status code", 400,
        lambda: error(lambda: run(compute={"gpus": 3000})).status),
    ("create_interactive_run does not require a name: it is `interactive`", True,
        lambda: interactive().name.startswith("interactive-")),
    ("create_interactive_run does not require an image", True, lambda: bool(interactive().submitted_config.image)),
    ("create_interactive_run does not require a duration", True, lambda: isinstance(interactive(None), Run)),
    ("create_interactive_run keeps a name that is given", True, lambda: interactive(name="mine").name.startswith("mine-")),
    ("create_interactive_run overwrites the command with a sleep", False, lambda: "never" in mcli.get_run_logs(
        mcli.wait_for_run_status(mcli.create_interactive_run(config("echo never"), seconds=1), "completed", timeout=120))),
    ("create_interactive_run sleeps for the seconds that are given", 60, lambda: sent(
        lambda: mcli.create_interactive_run(config(), seconds=60))["createRunData"]["seconds"]),
    ("an interactive run is completed when its time is over", RunStatus.COMPLETED, lambda: mcli.wait_for_run_status(
        mcli.create_interactive_run(config(), seconds=1), "completed", timeout=120).status),
    ("an interactive run is of that type", RunType.INTERACTIVE, lambda: interactive().run_type),
)  # fmt: skip
def test_launching(expected: object, seen: Callable[[], object]) -> None:
    """What the page says of launching runs."""
    assert expected == seen()


@claims(
    ("get_run takes a name", True, lambda: mcli.get_run(done().name).name == done().name),
    ("get_run takes a Run", True, lambda: mcli.get_run(done()).name == done().name),
    ("get_run fetches the run input by default", "true", lambda: mcli.get_run(done()).submitted_config.command),
    ("get_run leaves details out if told to", None,
        lambda: mcli.get_run(done(), include_details=False).submitted_config),
    ("get_run of an unknown name is a 404", 404, lambda: error(lambda: mcli.get_run("no-such-run")).status),
    ("get_run names the run that it does not find", True, lambda: "'no-such-run'" in str(error(lambda: mcli.get_run("no-such-run")))),
)  # fmt: skip
def test_reading(expected: object, seen: Callable[[], object]) -> None:
    """What the page says of reading one run."""
    assert expected == seen()


@functools.cache
def listed() -> dict[str, Run]:
    """Return runs that differ in what can be filtered by, all of them ended."""
    runs = {
        "gpus": run(compute={"gpus": 8}),
        "hero": run(metadata={"is_hero_run": True}),
        "failed": run("exit 1"),
        "interactive": mcli.create_interactive_run(config(), seconds=1),
    }
    return {name: mcli.wait_for_run_status(each, "completed", timeout=120) for name, each in runs.items()}


def found(**filters: Any) -> set[str]:
    """Return which of the listed runs a filter finds."""
    all_of_them = {each.name: key for key, each in listed().items()}
    return {
        all_of_them[each.name] for each in mcli.get_runs(limit=1000, **filters) if each.name in all_of_them
    }


def moment(which: str) -> datetime:
    return listed()["gpus"].created_at if which == "created" else _ended()


def _ended() -> datetime:
    ended = listed()["gpus"].completed_at
    assert ended
    return ended


ALL = {"gpus", "hero", "failed", "interactive"}
LATER = timedelta(milliseconds=1)


@functools.cache
def deleted() -> str:
    return mcli.delete_run(done("true # deleted")).name


@claims(
    ("get_runs lists runs", ALL, found),
    ("get_runs gives pages", PaginatedObjectList, lambda: type(mcli.get_runs())),
    ("get_runs lists the newest first", True, lambda: (lambda times: times == sorted(times, reverse=True))(
        [each.created_at for each in mcli.get_runs()])),
    ("get_runs takes a list of names", {"gpus"}, lambda: found(runs=[listed()["gpus"].name])),
    ("get_runs takes a list of runs", {"hero"}, lambda: found(runs=[listed()["hero"]])),
    ("get_runs of unknown names finds nothing", [], lambda: mcli.get_runs(["no-such-run"])),
    ("get_runs filters by cluster names", ALL, lambda: found(cluster_names=[mcli.get_clusters()[0].name])),
    ("get_runs takes Cluster objects to filter by", ALL, lambda: found(cluster_names=mcli.get_clusters())),
    ("get_runs finds nothing on other clusters", set(), lambda: found(cluster_names=["nowhere"])),
    ("get_runs filters by `before`, strictly", False, lambda: "gpus" in found(before=moment("created"))),
    ("get_runs filters by `before`", True, lambda: "gpus" in found(before=moment("created") + LATER)),
    ("get_runs filters by `after`, at the time itself", True, lambda: "gpus" in found(after=moment("created"))),
    ("get_runs filters by `after`", False, lambda: "gpus" in found(after=moment("created") + LATER)),
    ("get_runs takes an ISO 8601 text for `after`", set(), lambda: found(after="2123-03-31T12:23:04.34+05:30")),
    ("get_runs takes an ISO 8601 text for `before`", ALL, lambda: found(before="2123-03-31T12:23:04.34+05:30")),
    ("get_runs keeps the moment of a time with an offset", datetime(2023, 3, 31, 6, 53, 4, 340000, tzinfo=UTC),
        lambda: datetime.fromisoformat(sent(lambda: mcli.get_runs(after="2023-03-31T12:23:04.34+05:30"))[
            "getRunsPaginatedData"]["filters"]["createdAt"]["gte"])),
    ("get_runs filters by GPU types as text", {"gpus"}, lambda: found(gpu_types=["a100_80gb"])),
    ("get_runs filters by GPU types as GPUType", {"gpus"}, lambda: found(gpu_types=[GPUType.A100_80GB])),
    ("get_runs filters by GPU types in any letter case", {"gpus"}, lambda: found(gpu_types=["A100_80GB"])),
    ("get_runs filters by GPU counts", {"gpus"}, lambda: found(gpu_nums=[8, 16])),
    ("get_runs filters by statuses as text", {"failed"}, lambda: found(statuses=["FAILED"])),
    ("get_runs filters by statuses in any letter case", {"failed"}, lambda: found(statuses=["failed"])),
    ("get_runs filters by statuses as RunStatus", ALL - {"failed"}, lambda: found(statuses=[RunStatus.COMPLETED])),
    ("get_runs refuses a status that does not exist", ValueError, lambda: kind(lambda: mcli.get_runs(statuses=["done"]))),
    ("get_runs filters by the emails of users", ALL, lambda: found(user_emails=[mcli.get_current_user().email])),
    ("get_runs finds nothing of other users", set(), lambda: found(user_emails=["nobody@example.com"])),
    ("get_runs returns runs of the current user by default", True, lambda: {mcli.get_current_user().email} == {
        each.created_by for each in mcli.get_runs()}),
    ("get_runs filters by run type INTERACTIVE", {"interactive"}, lambda: found(run_types=["INTERACTIVE"])),
    ("get_runs filters by run type HERO_RUN", {"hero"}, lambda: found(run_types=["HERO_RUN"])),
    ("get_runs filters by run type TRAINING: all other runs", {"gpus", "failed"}, lambda: found(run_types=["TRAINING"])),
    ("get_runs takes run types as members", {"hero"}, lambda: found(run_types=[RunType.HERO_RUN])),
    ("get_runs does not include details by default", None, lambda: mcli.get_runs([listed()["gpus"]])[0].submitted_config),
    ("get_runs includes details if asked to", "true",
        lambda: mcli.get_runs([listed()["gpus"]], include_details=True)[0].submitted_config.command),
    ("get_runs does not include deleted runs by default", [], lambda: mcli.get_runs([deleted()])),
    ("get_runs includes deleted runs if asked to", [True],
        lambda: [each.is_deleted for each in mcli.get_runs([deleted()], include_deleted=True)]),
    ("get_runs filters by `ended_before`, strictly", False, lambda: "gpus" in found(ended_before=moment("ended"))),
    ("get_runs filters by `ended_before`", True, lambda: "gpus" in found(ended_before=moment("ended") + LATER)),
    ("get_runs filters by `ended_after`, at the time itself", True, lambda: "gpus" in found(ended_after=moment("ended"))),
    ("get_runs filters by `ended_after`", False, lambda: "gpus" in found(ended_after=moment("ended") + LATER)),
    ("every filter that is given must match", set(), lambda: found(statuses=["failed"], gpu_nums=[8])),
    ("get_runs returns `limit` runs at most", 1, lambda: (listed(), len(mcli.get_runs(limit=1)))[1]),
    ("get_runs returns 100 runs at most where the limit is None", {"limit": 100}, lambda: {
        "limit": sent(lambda: mcli.get_runs(limit=None))["getRunsPaginatedData"].get("limit") or 100}),
    ("get_runs returns 100 runs at most by default", 100,
        lambda: sent(mcli.get_runs)["getRunsPaginatedData"]["limit"]),
    ("get_runs returns `limit` runs at most also where runs are named", 1,
        lambda: len(mcli.get_runs(list(listed().values()), limit=1))),
)  # fmt: skip
def test_listing(expected: object, seen: Callable[[], object]) -> None:
    """What the page says of listing runs."""
    assert expected == seen()


def page_by_page(limit: int | None = None) -> list[str]:
    """Read the listed runs as the page's example does."""
    runs = mcli.get_runs(list(listed().values()), limit=3)
    seen = names(runs)
    while True:
        try:
            runs = runs.next_page(limit)
        except StopIteration:
            return seen
        seen += names(runs)


@claims(
    ("next_page returns the next page of results", True,
        lambda: sorted(page_by_page()) == sorted(names(list(listed().values())))),
    ("next_page takes a limit for the pages that follow", True,
        lambda: len(page_by_page(1)) == len(listed())),
    ("after the last page next_page raises StopIteration", StopIteration,
        lambda: kind(lambda: mcli.get_runs([listed()["gpus"]]).next_page())),
    ("next_page refuses a limit of 0", ValueError, lambda: kind(lambda: mcli.get_runs(limit=1).next_page(limit=0))),
    ("a page takes data, obj, query_function and pagination_function", [3], lambda: PaginatedObjectList(
        data=[1, 2], obj=int, query_function=last_page, pagination_function=lambda _: {}).next_page()),
)  # fmt: skip
def test_paging(expected: object, seen: Callable[[], object]) -> None:
    """What the page says of lists that are paginated."""
    assert expected == seen()


def last_page() -> PaginatedObjectList[int]:
    return PaginatedObjectList([3], int, last_page, lambda _: None)


# Changes


def nap() -> Run:
    return mcli.wait_for_run_status(run("sleep 60"), "running", timeout=120)


def ended(made: Run) -> Run:
    return mcli.wait_for_run_status(made, "completed", timeout=120)


def stopped(reason: str | None = None, by: Callable[[Run], Any] = lambda made: made) -> Run:
    return ended(mcli.stop_run(by(nap()), reason=reason))


@claims(
    ("stop_run stops a run that is running", RunStatus.STOPPED, lambda: stopped().status),
    ("stop_run takes a name", RunStatus.STOPPED, lambda: stopped(by=lambda made: made.name).status),
    ("stop_run gives the stopped Run", True, lambda: (lambda made: mcli.stop_run(made).name == made.name)(run("sleep 60"))),
    ("the reason for stopping is kept with the run", "why", lambda: stopped("why").reason),
    ("stop_run of an unknown name is a 404", 404, lambda: error(lambda: mcli.stop_run("no-such-run")).status),
    ("stop_runs stops a list of runs and names", [RunStatus.STOPPED] * 2, lambda: [
        ended(each).status for each in mcli.stop_runs([run("sleep 60"), run("sleep 60").name], reason="why")]),
    ("stop_runs sends the reason for all", {"reason": "why"},
        lambda: sent(lambda: mcli.stop_runs(["a", "b"], reason="why"))["stopRunsData"]),
    ("stop_runs of an unknown name raises a MAPIException", MAPIException, lambda: kind(lambda: mcli.stop_runs(["no-such-run"]))),
    ("stop_runs can be retried freely", [RunStatus.STOPPED], lambda: (
        lambda made: [ended(each).status for each in mcli.stop_runs(mcli.stop_runs([made]))])(nap())),
    ("start_run starts a run that has stopped: it has the status PENDING", RunStatus.PENDING,
        lambda: (lambda made: (mcli.start_run(made), mcli.stop_run(made))[0].status)(stopped())),
    ("start_run executes the run again", [0, 1], lambda: [each.index for each in ended(mcli.start_run(ended(run()))).resumptions]),
    ("start_run takes a name", True, lambda: (lambda made: mcli.start_run(made.name).name == made.name)(ended(run()))),
    ("start_run of an unknown name is a 404", 404, lambda: error(lambda: mcli.start_run("no-such-run")).status),
    ("start_runs starts a list of runs and names", 2, lambda: len(mcli.start_runs([ended(run()), ended(run()).name]))),
    ("start_runs of an unknown name raises a MAPIException", MAPIException, lambda: kind(lambda: mcli.start_runs(["no-such-run"]))),
    ("delete_run deletes a run", 404, lambda: error(lambda: mcli.get_run(mcli.delete_run(ended(run())).name)).status),
    ("delete_run gives the run that was deleted", True, lambda: mcli.delete_run(ended(run())).is_deleted),
    ("delete_run first stops a run that is running", RunStatus.STOPPED, lambda: (
        lambda made: (mcli.delete_run(made), stopped_after_deletion(made.name))[1])(nap())),
    ("delete_run of an unknown name is a 404", 404, lambda: error(lambda: mcli.delete_run("no-such-run")).status),
    ("delete_runs deletes a list of runs and names", [True, True], lambda: [
        each.is_deleted for each in mcli.delete_runs([ended(run()), ended(run()).name])]),
    ("delete_runs gives the runs that were deleted", 1, lambda: len(mcli.delete_runs([ended(run())]))),
    *(
        (f"{verb.__name__} of an empty list changes nothing", [], partial(verb, []))
        for verb in (mcli.stop_runs, mcli.start_runs, mcli.delete_runs)
    ),
)  # fmt: skip
def test_stopping_starting_and_deleting(expected: object, seen: Callable[[], object]) -> None:
    """What the page says of stopping, starting and deleting runs."""
    assert expected == seen()


def stopped_after_deletion(name: str) -> RunStatus:
    """Read a run that was deleted until it has ended."""
    while True:
        (found,) = mcli.get_runs([name], include_deleted=True)
        if found.status.is_terminal():
            return found.status


def updated(**changes: Any) -> Run:
    made = run("sleep 60")
    try:
        return quietly(lambda: mcli.update_run(made, **changes))
    finally:
        mcli.stop_run(made)


def changes(**given: Any) -> dict[str, Any]:
    return dict(sent(lambda: mcli.update_run("a", **given))["updateRunData"])


@claims(
    ("update_run updates whether a run may be preempted", True, lambda: updated(preemptible=True).preemptible),
    ("a run may not be preempted by default", False, lambda: run().preemptible),
    *((f"update_run updates the priority to {each}", each, partial(lambda p: updated(priority=p).priority, each))
      for each in ("low", "lowest")),
    ("the priority of a run is auto by default", "auto", lambda: run().priority),
    ("update_run updates the number of retries", 3, lambda: updated(max_retries=3).max_retries),
    ("the number of retries is 0 by default", True, lambda: run().max_retries in {0, None}),
    ("update_run updates whether system failures are retried", True,
        lambda: updated(retry_on_system_failure=True).retry_on_system_failure),
    ("system failures are not retried by default", False, lambda: run().retry_on_system_failure),
    ("update_run updates the time that a run can run for, in hours", 1.5, lambda: updated(max_duration=1.5).max_duration),
    ("update_run does not modify what is not specified", {"priority": "low"}, lambda: changes(priority="low")),
    ("update_run takes the data of old", 2, lambda: updated(update_run_data={"maxRetries": 2}).max_retries),
    ("update_run takes retryOnSystemFailure of old", {"retryOnSystemFailure": True},
        lambda: changes(update_run_data={"retryOnSystemFailure": True})),
    ("the data of old is deprecated", DeprecationWarning, lambda: _warned({"maxRetries": 2})),
    ("update_run gives the updated Run", Run, lambda: type(updated(priority="low"))),
    ("update_run of an unknown name is a 404", 404, lambda: error(lambda: mcli.update_run("no-such-run", priority="low")).status),
    ("update_run takes a name", "a", lambda: sent(lambda: mcli.update_run("a", priority="low"))["getRunsData"]["filters"]["name"]["in"][0]),
    ("update_run refuses a misspelt priority", True,
        lambda: isinstance(error(lambda: mcli.update_run("a", priority="lowset")), ValueError)),
    ("update_run_metadata sets metadata", {"loss": 0.1}, lambda: mcli.update_run_metadata(run(), {"loss": 0.1}).metadata),
    ("update_run_metadata merges with what is there", {"a": 1, "b": 2, "c": 3}, lambda: (
        lambda made: mcli.update_run_metadata(made, {"b": 2, "c": 3}).metadata)(run(metadata={"a": 1, "b": 1}))),
    ("update_run_metadata takes a name", {"a": 1}, lambda: mcli.update_run_metadata(run().name, {"a": 1}).metadata),
    ("update_run_metadata can be protected from SIGTERM", {"a": 1},
        lambda: mcli.update_run_metadata(run(), {"a": 1}, protect=True).metadata),
    ("update_run_metadata of an unknown name is a 404", 404,
        lambda: error(lambda: mcli.update_run_metadata("no-such-run", {})).status),
    ("update_run_metadata takes a mapping", True,
        lambda: isinstance(error(lambda: mcli.update_run_metadata("a", [1])), ValueError)),
)  # fmt: skip
def test_updating(expected: object, seen: Callable[[], object]) -> None:
    """What the page says of updating runs."""
    assert expected == seen()


def _warned(data: dict[str, Any]) -> type[Warning]:
    with fake(), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        mcli.update_run("a", data)
    return told[0].category
