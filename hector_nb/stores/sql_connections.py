"""What a store in SQL needs of its database: that calls are run there, each in one transaction."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol, TypeVar

from hector_nb.errors import StoreError
from hector_nb.stores.jobs import Inbox, Job
from hector_nb.stores.sql_database import Database
from hector_nb.stores.sql_holders import SignsOfLife
from hector_nb.stores.sql_vectors import VectorFinder
from hector_nb.stores.watches import Watches

T = TypeVar("T")


class Threads(Protocol):
    """Threads that take jobs from an inbox."""

    inbox: Inbox


class SQLConnections(ABC):
    """An open database: a call on it is a job for one of its threads; None: it is closed."""

    _writer: Threads | None
    _readers: Threads | None
    _watches: Watches
    _signs: SignsOfLife
    _vectors: VectorFinder

    @abstractmethod
    async def aopen(self) -> None:
        """See `Store`."""

    @abstractmethod
    async def aclose(self) -> None:
        """See `Store`."""

    async def _write(self, call: Callable[[Database], T]) -> T:
        return await self._ask(self._writer, call)

    async def _read(self, call: Callable[[Database], T]) -> T:
        return await self._ask(self._readers, call)

    async def _ask(self, threads: Threads | None, call: Callable[[Database], T]) -> T:
        if threads is None:
            raise StoreError("The store is closed.")
        job = Job(call)
        threads.inbox.put(job)
        result: T = await job.future
        return result

    @abstractmethod
    def _look_up(self) -> None:
        """Somebody begins to watch."""

    def _living(self, holder: str, call: Callable[[Database], T]) -> Callable[[Database], T]:
        """The call, after which others can see whether this holder lives."""

        def living(database: Database) -> T:
            self._signs.hold(database, holder)
            return call(database)

        return living
