"""How front ends reach the service, and how plain calls reach an event loop.

`open_service` gives the service on the running event loop: that of a server where its address is named, else the engine in this
process. `LoopThread` is the one background loop of a process, for callers that have no loop of their own or whose loop is not to
be blocked: notebooks above all.
"""

import asyncio
import atexit
import os
import queue
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar
from weakref import WeakKeyDictionary

from hector_nb.client.address import Address, is_address
from hector_nb.errors import AgentNotFound, HectorError, InvalidRequest
from hector_nb.service import SessionService
from hector_nb.sessions import Session
from hector_nb.tools.main_thread import MAIN_THREAD

if TYPE_CHECKING:
    from hector_nb.runtime.runtime import Runtime

T = TypeVar("T")

_stores: "WeakKeyDictionary[SessionService, str]" = WeakKeyDictionary()
_LAST_WORDS = 2.0
"""Seconds that what was interrupted has to clean up."""


@dataclass(frozen=True)
class Engine:
    """One user's way in, and the engine, where it is in this process."""

    service: SessionService
    _runtime: "Runtime | None" = None

    def runs(self, turn_id: str) -> bool:
        """Whether this turn is under way in this process, and not in another one."""
        return self._runtime is not None and turn_id in self._runtime.runs


def is_served_by_jupyter(service: SessionService) -> bool:
    """Whether the Jupyter server that has started this process has the same user's sessions in the same store."""
    from hector_nb.config.home import SERVED_STORE

    mark = _stores.get(service)
    return mark is not None and mark == os.environ.get(SERVED_STORE)


def shown_address(url: str) -> str:
    """The address of a server without a secret.

    Raises:
        InvalidRequest: it is none.
    """
    return Address.parse(url).base


@asynccontextmanager
async def open_engine(
    config: str | Path | None = None, *, user: str | None = None, token: str | None = None
) -> AsyncIterator[Engine]:
    """The engine, opened on the running event loop, or the line to a server.

    Args:
        config: the configuration file, or a server's address, such as `http://127.0.0.1:8080`; None: the first file that is found.
        user: the owner of the sessions; None: `HECTOR_USER`, `JUPYTERHUB_USER` or `local`. A server knows whose its token is.
        token: what the server wants to see; None: the `?token=` of its address, else `HECTOR_TOKEN`.

    Raises:
        ConfigError: the configuration cannot be used.
        StoreError: the database cannot be opened.
        Unavailable: the server cannot be reached.
        Unauthenticated: the server wants another token.
        InvalidRequest: these do not go together.
    """
    if isinstance(config, str) and is_address(config):
        if user is not None:
            raise InvalidRequest("A server knows its users by their tokens.", hint="Give `token`, and no `user`.")
        from hector_nb.client.sessions import open_sessions

        async with open_sessions(config, token=token, otherwise=os.environ.get("HECTOR_TOKEN")) as sessions:
            yield Engine(sessions)
        return
    if token is not None:
        raise InvalidRequest("A token is for a server.", hint="Name the server, for example http://127.0.0.1:8080.")
    from hector_nb.bootstrap.engine import open_runtime
    from hector_nb.config.home import current_user, store_mark
    from hector_nb.config.loader import load_config

    loaded, owner = load_config(config), user or current_user()
    runtime = await open_runtime(loaded)
    try:
        service = runtime.for_user(owner)
        _stores[service] = store_mark(loaded.config, owner, folder=loaded.folder)
        yield Engine(service, runtime)
    finally:
        await runtime.aclose()


@asynccontextmanager
async def open_service(
    config: str | Path | None = None, *, user: str | None = None, token: str | None = None
) -> AsyncIterator[SessionService]:
    """The sessions of one user (default: the one this process belongs to); see `open_engine`."""
    async with open_engine(config, user=user, token=token) as engine:
        yield engine.service


async def recent_sessions(config: str | Path | None = None, *, limit: int) -> Sequence[Session]:
    """The newest sessions of this process's user, read from the store alone: no agent is made, and no store where there is none.

    Raises:
        ConfigError: the configuration cannot be used.
        StoreError: the database failed.
    """
    from hector_nb.bootstrap.stores import has_store, make_store
    from hector_nb.config.home import current_user
    from hector_nb.config.loader import load_config

    loaded = load_config(config)
    if not has_store(loaded):
        return ()
    store = make_store(loaded)
    try:
        await store.aopen()
        return (await store.list_sessions(current_user(), limit=limit)).items
    finally:
        await store.aclose()


async def reindex(
    config: str | Path | None = None,
    *,
    agent: str | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Mapping[str, int]:
    """Give the memories of agents (None: all that remember) the vectors of the present embedder that they lack; how many, by agent.

    `on_progress` is told an agent, how many of its memories are done, and how many there are to do.

    Raises:
        AgentNotFound: there is no such agent.
        ConfigError: the configuration cannot be used.
        ModelError: the embedder failed; what was done stays, and another call goes on from there.
        StoreError: the database failed.
    """
    from hector_nb.bootstrap.agents import make_agents
    from hector_nb.bootstrap.stores import make_store
    from hector_nb.config.loader import load_config
    from hector_nb.memory import embedders

    loaded = load_config(config)
    store = make_store(loaded)
    agents = await make_agents(loaded, os.environ)
    if agent is not None and agent not in agents:
        raise AgentNotFound.among(agent, agents)
    done: dict[str, int] = {}
    try:
        await store.aopen()
        for name in [agent] if agent else agents:
            if longterm := agents[name].longterm:
                told = partial(on_progress, name) if on_progress else None
                done[name] = await embedders.reindex(store, longterm.embedder, told, agents=[name])
    finally:
        await store.aclose()
        for each in agents.values():
            await each.aclose()
    return done


def fetching() -> str | None:
    """What this process is fetching now and how far it is, in one line; None: nothing."""
    if "hector_nb.models.progress" not in sys.modules:
        return None
    from hector_nb.models.progress import downloads

    for download in downloads():
        done, total = download.done / 1e6, download.total / 1e6
        return f"{download.label}: {done:.0f} of {total:.0f} MB" if total else f"{download.label} …"
    return None


class LoopThread:
    """An event loop on a daemon thread. `LoopThread.shared()` is the process's own; it is made anew after a fork."""

    _shared: ClassVar["LoopThread | None"] = None
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="hector_nb", daemon=True)
        self._thread.start()

    @classmethod
    def shared(cls) -> "LoopThread":
        """The loop of this process."""
        with cls._lock:
            if cls._shared is None or cls._shared._pid != os.getpid():
                cls._shared = cls()
                atexit.register(cls._shared.stop)
            return cls._shared

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Start a coroutine; the future belongs to the calling thread.

        Raises:
            HectorError: this process or thread cannot wait for it.
        """
        self._check(coroutine)
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def _check(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        if self._pid != os.getpid() or threading.current_thread() is self._thread:
            coroutine.close()
            raise HectorError(
                "This connection belongs to another process, or the call was made on its own event loop.",
                hint="Connect again in this process; in asynchronous code use hector_nb.aconnect().",
            )

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and wait for it; an interrupt cancels it and waits until it has cleaned up, though not for long.

        On the main thread, agents can meanwhile call the functions that belong there.
        """
        self._check(coroutine)
        woken: queue.SimpleQueue[None] = queue.SimpleQueue()
        work = _Work(coroutine, on_end=lambda: woken.put(None))
        try:
            self._loop.call_soon_threadsafe(work.start)
            with MAIN_THREAD.waiting(lambda: woken.put(None)):
                while not work.future.done():
                    # An untimed wait cannot be interrupted on Windows.
                    with suppress(queue.Empty):
                        woken.get(timeout=0.1)
                    MAIN_THREAD.run_pending()
            return work.future.result()
        except KeyboardInterrupt:
            self._loop.call_soon_threadsafe(work.cancel)
            work.ended.wait(_LAST_WORDS)
            raise
        except HectorError as error:
            # Its words say all; how the engine's thread came there would only hide them and the caller's line.
            raise error.with_traceback(None) from error.__cause__

    def stop(self) -> None:
        """Stop the loop; what runs on it is cancelled first, and lines to servers are closed."""
        if self._pid != os.getpid() or not self._loop.is_running():
            return
        with suppress(TimeoutError):  # the process ends in any case
            self.submit(_end_all()).result(timeout=6)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=2)
        if not self._thread.is_alive():
            self._loop.close()


class _Work(Generic[T]):
    """A coroutine that a plain call waits for. An interrupt may come at any moment, so nothing of it is made after it was started."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], *, on_end: Callable[[], None]) -> None:
        self.future: Future[T] = Future()
        self.ended = threading.Event()
        self._coroutine = coroutine
        self._on_end = on_end
        self._task: asyncio.Task[T] | None = None

    def start(self) -> None:
        """Begin, on the loop."""
        self._task = asyncio.get_running_loop().create_task(self._coroutine)
        self._task.add_done_callback(self._end)

    def cancel(self) -> None:
        """End, on the loop; after `start`, if that was called at all."""
        if self._task is not None:
            self._task.cancel()
        else:
            self._coroutine.close()
            self.ended.set()

    def _end(self, task: "asyncio.Task[T]") -> None:
        if task.cancelled():
            self.future.cancel()
        elif (error := task.exception()) is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(task.result())
        self.ended.set()
        self._on_end()


async def _end_all() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if "hector_nb.client.connection" in sys.modules:
        from hector_nb.client.connection import close_all

        await close_all()
