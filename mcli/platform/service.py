"""The platform as an object: a server on a thread of its own, which is started and stopped."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from mcli.platform.clock import Clock, SystemClock
from mcli.platform.execution.attempt import Services
from mcli.platform.execution.containers import choose
from mcli.platform.execution.controller import Controller
from mcli.platform.execution.engine import GRACE
from mcli.platform.execution.folders import RunFolders, make_private
from mcli.platform.execution.launch import HostSettings
from mcli.platform.execution.log_limit import LOG_LIMIT
from mcli.platform.execution.packages import examine
from mcli.platform.execution.processes import ProcessEngine
from mcli.platform.execution.sweep import TEMPORARY, sweep_temporary_platforms
from mcli.platform.presence import announce, holding, make_data_dir
from mcli.platform.scheduling.cluster import clusters_of
from mcli.platform.serving.access import Access
from mcli.platform.serving.api import Api
from mcli.platform.serving.http_server import HttpServer
from mcli.platform.serving.listeners import loopback, network, port_of
from mcli.platform.serving.logs import Logs
from mcli.platform.serving.outside import Outside, bundle
from mcli.platform.serving.removal import Removal
from mcli.platform.serving.resolvers import Resolvers
from mcli.platform.serving.server import PATH, Server
from mcli.platform.serving.watches import Watches
from mcli.platform.state import records
from mcli.platform.state.hub import Hub
from mcli.platform.state.store import Store
from mcli.platform.state.users import Keys
from mcli.platform.state.vault import Vault

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
    from types import TracebackType

    from mcli.platform.execution.engine import Engine
    from mcli.platform.scheduling.cluster import Cluster, Machines

__all__ = ["Platform"]


class Platform:
    """A local platform in this process, reached like any other: over HTTP and websockets, with a key.

    Args:
        data_dir: Folder of its state. Without it the state is in a temporary folder, which `stop` removes, and the
            runs end with this process, however that ends.
        port: Port on 127.0.0.1; 0 for that of the last server of the folder, or else any free one.
        cluster: What runs are scheduled on, by default this machine; several as a tuple, the first of which is
            for runs that name none. Not with `engine`, which has its own.
        engine: What executes runs, by default processes on this machine.
        clock: What tells the time, by default the machine's clock.
        grace: Seconds that a stopped run has between SIGTERM and SIGKILL.
        python: The Python whose packages runs find.
        namespaces: Whether the fixed folders exist for a run (`/workspace`), where the machine allows it; else its
            command is rewritten.
        containers: What runs commands in their images: `none`, `podman`, `docker`, `apptainer`, or `auto` for the first
            that works here.
        container_options: Further options of its `run`.
        wrap: Makes the ASGI application that is served of the platform's own, e.g. to plan faults in tests.
        log_limit: Bytes of each log that are kept.
        outside: How other machines reach the platform, which by default they do not. `port` is then that of the
            address outside, and not the one on 127.0.0.1.
        shared: Folder for the files of runs, which all nodes of the engine must see; by default in the data folder.
        announced: What `python -m mcli.platform status` tells besides where the platform is.

    >>> with Platform() as platform:
    ...     len(platform.api_key)
    47
    """

    def __init__(
        self,
        data_dir: Path | str | None = None,
        *,
        port: int = 0,
        cluster: Machines | None = None,
        engine: Engine | None = None,
        clock: Clock | None = None,
        grace: float = GRACE,
        python: str = sys.executable,
        namespaces: bool = True,
        containers: str = "none",
        container_options: Iterable[str] = (),
        wrap: Callable[[Any], Any] | None = None,
        log_limit: int = LOG_LIMIT,
        outside: Outside | None = None,
        shared: Path | str | None = None,
        announced: Mapping[str, Any] | None = None,
    ) -> None:
        self._shared = None if shared is None else Path(shared).absolute()
        self._given_dir = None if data_dir is None else Path(data_dir).absolute()
        self._port = port
        if engine is not None and cluster is not None:
            raise ValueError("An engine has its own cluster: give either engine or cluster, not both.")
        self._engine = engine or ProcessEngine(cluster)
        self._clock = clock or SystemClock()
        self._grace = grace
        self._python = python
        self._namespaces = namespaces
        self._container_settings = containers, tuple(container_options)
        self._wrap = wrap
        self._log_limit = log_limit
        self._outside = outside or Outside()
        self._announced = dict(announced or {})
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._stop_runs = False
        self.data_dir: Path = Path()
        """Where the state is; known once the platform was started."""
        self.endpoint: str = ""
        """URL to send requests to; known once the platform was started."""
        self.api_key: str = ""
        """Key of the platform's owner; known once the platform was started."""

    def __repr__(self) -> str:
        return f"Platform({self.endpoint or 'not started'})"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def key_file(self) -> Path:
        """File that holds the key of the platform's owner."""
        return self.data_dir / "api_key"

    def start(self) -> None:
        """Start to serve; requests are accepted when this returns. Does nothing on a platform that runs.

        Raises:
            OSError: The port is taken, or the data folder cannot be used.
            AlreadyServedError: Another process serves the data folder.
            RuntimeError: The database in it cannot be opened.
        """
        if self._thread is not None:
            return
        sweep_temporary_platforms()
        self.data_dir = self._given_dir or Path(tempfile.mkdtemp(prefix=TEMPORARY))
        make_data_dir(self.data_dir)
        self._ready.clear()
        self._failure = None
        self._thread = threading.Thread(target=self._run, name="mcli-local", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._join()

    def stop(self, *, runs: bool = True) -> None:
        """Stop to serve and free everything. Does nothing on a platform that does not run.

        Args:
            runs: Whether to stop the runs first, which have their grace. Else they go on, and a platform that is
                started later on the same folder finds them again.
        """
        if self._thread is None:
            return
        self._stop_runs = runs
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
        self._join()

    def add_user(self, name: str, email: str, *, is_admin: bool = False) -> str:
        """Return a new key for the user with this e-mail address, who is added if there is none.

        Raises:
            RuntimeError: The platform does not run.
        """
        self._check_running()
        return asyncio.run_coroutine_threadsafe(self._add_user(name, email, is_admin), self._loop).result()

    async def _add_user(self, name: str, email: str, is_admin: bool) -> str:
        return await self._keys.add(await self._keys.add_user(name, email, is_admin=is_admin))

    def idle_seconds(self) -> float:
        """Return for how many seconds nobody has used the platform; 0 while somebody does, or a run has nodes.

        Raises:
            RuntimeError: The platform does not run.
        """
        self._check_running()
        if self._server.busy or not self._controller.is_idle:
            return 0.0
        return time.monotonic() - self._server.last_used

    def _check_running(self) -> None:
        if self._thread is None:
            raise RuntimeError("The platform is not running; start it first.")

    def _join(self) -> None:
        if self._thread is not None:
            self._thread.join()
        self._thread = None
        if self._given_dir is None:
            shutil.rmtree(self.data_dir, ignore_errors=True)
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised again on the thread that holds the platform
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._end, hub = asyncio.get_running_loop(), asyncio.Event(), Hub()
        self._containers = await asyncio.to_thread(choose, *self._container_settings)
        if self._python != sys.executable:
            await asyncio.to_thread(examine, self._python)  # an error here is better than one in each run
        with holding(self.data_dir), self._opened(hub) as store:
            runs_live = bool(await store.read(lambda db: records.with_status(db, records.LIVE)))
            is_open = self._outside.is_open
            with (
                loopback(self.data_dir / "port", 0 if is_open else self._port, runs_live=runs_live) as inside,
                network(
                    self._outside.bind if is_open else "", self.data_dir / "outside_port", self._port
                ) as outside,
            ):
                self.endpoint = f"http://127.0.0.1:{port_of(inside[0])}{PATH}"
                try:
                    await self._build(store, hub, outside)
                    servers = self._http_servers(inside, outside)
                    await self._controller.open()
                    await self._serve_until_end(servers)
                finally:
                    await self._engine.close()

    def _http_servers(
        self, inside: Sequence[socket.socket], outside: Sequence[socket.socket]
    ) -> list[HttpServer]:
        """Make the servers, and say where they are."""
        app = self._server if self._wrap is None else self._wrap(self._server)
        servers, more = [HttpServer(app, inside)], {}
        if outside:
            encryption = self._outside.encryption(self.data_dir)
            servers.append(HttpServer(app, outside, encryption))
            more = {"public_endpoint": self._outside.url(port_of(outside[0]))}
            if encryption:
                more["ca_file"] = str(bundle(self.data_dir))
        announce(self.data_dir, self.endpoint, self.key_file, **more, **self._announced)
        return servers

    @contextmanager
    def _opened(self, hub: Hub) -> Generator[Store]:
        file = self.data_dir / "platform.sqlite3"
        try:
            store = Store(file, self._clock, hub.publish)
        except sqlite3.DatabaseError as error:
            raise RuntimeError(f"The database {file} cannot be opened: {error}.") from error
        with closing(store):
            yield store

    async def _build(self, store: Store, hub: Hub, outside: Sequence[socket.socket]) -> None:
        """Make the parts of the platform and let each have those that it needs."""
        self._keys = Keys(store)
        await self._keys.load()
        self.api_key = await self._keys.add_owner(self.key_file)
        vault, folders = (
            Vault(self.data_dir / "vault.key"),
            RunFolders((self._shared or self.data_dir) / "runs"),
        )
        services = Services(
            store=store,
            keys=self._keys,
            engine=self._engine,
            clock=self._clock,
            vault=vault,
            site=HostSettings(
                folders,
                self._endpoint_of_ranks(outside),
                self._grace,
                bound=self._given_dir is None and not self._engine.schedules,
                log_limit=self._log_limit,
                certificates=self._certificates_of_ranks(outside),
                python=self._python,
                namespaces=self._namespaces,
                containers=self._containers,
            ),
        )
        machines = await self._engine.describe()
        self._announced["clusters"] = [_summary(cluster) for cluster in clusters_of(machines)]
        self._controller = Controller(services, hub, machines)
        logs = Logs(store, hub, folders, self._log_limit)
        api = Api(store, Resolvers(machines, vault, folders), Watches(store, hub), logs)
        self._server = Server(api, self._keys, Access(self._outside.hosts))
        self._removal = Removal(store, folders, self._clock)

    def _endpoint_of_ranks(self, outside: Sequence[socket.socket]) -> str:
        """Return where ranks reach the platform: on other machines by the address outside."""
        is_elsewhere = self._engine.schedules and bool(outside)
        return self._outside.url(port_of(outside[0])) if is_elsewhere else self.endpoint

    def _certificates_of_ranks(self, outside: Sequence[socket.socket]) -> str | None:
        """Return the file of certificates that ranks must trust, where they see it; None for plain HTTP."""
        if not (self._engine.schedules and outside and self._outside.encryption(self.data_dir)):
            return None
        file = (self._shared or self.data_dir) / "certificates.pem"
        make_private(file.parent)
        shutil.copyfile(bundle(self.data_dir), file)
        return str(file)

    async def _serve_until_end(self, servers: Sequence[HttpServer]) -> None:
        serving = [asyncio.create_task(server.run_to_end()) for server in servers]
        ending, *others = (
            asyncio.create_task(work)
            for work in (self._end.wait(), self._tell_when_ready(servers), self._removal.run())
        )
        await asyncio.wait({*serving, ending}, return_when=asyncio.FIRST_COMPLETED)
        for task in (ending, *others):
            task.cancel()
        # while runs have their grace they can still report to us
        await self._controller.close(stop_runs=self._stop_runs)
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*serving)

    async def _tell_when_ready(self, servers: Sequence[HttpServer]) -> None:
        for server in servers:
            await server.accepting.wait()
        self._ready.set()


def _summary(cluster: Cluster) -> dict[str, Any]:
    """Describe a cluster for `status`."""
    gpus = {
        each.gpu_type: sum(node.gpus for node in each.nodes)
        for each in cluster.instances
        if each.gpus_per_node
    }
    return {"name": cluster.name, "aliases": list(cluster.aliases), "nodes": len(cluster.nodes), "gpus": gpus}
