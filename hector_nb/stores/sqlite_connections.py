"""The threads through which a SQLite store is read and written, from any event loop."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from hector_nb.errors import StoreError
from hector_nb.stores.holder_locks import HolderLocks
from hector_nb.stores.sqlite_database import Database
from hector_nb.stores.sqlite_jobs import Job
from hector_nb.stores.sqlite_readers import Readers
from hector_nb.stores.sqlite_watch import Watches
from hector_nb.stores.sqlite_writer import Writer

T = TypeVar("T")


class SQLiteConnections:
    """An open file: a call on its database is a job for one of its threads."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._watches = Watches()
        self._locks = HolderLocks(self.path.with_name(f"{self.path.name}-holders"))
        self._writer: Writer | None = None
        self._readers: Readers | None = None

    async def aopen(self) -> None:
        """See `Store`."""
        if self._writer is not None:
            return
        writer, readers = Writer(self.path, self._watches), Readers(self.path)
        try:
            await writer.open().future
        except BaseException:
            writer.inbox.close()
            raise
        readers.start()
        self._writer, self._readers = writer, readers

    async def aclose(self) -> None:
        """See `Store`."""
        writer, readers = self._writer, self._readers
        self._writer = self._readers = None
        if writer is not None and readers is not None:
            await asyncio.to_thread(readers.stop)
            writer.inbox.close()
            await asyncio.to_thread(writer.join)
            self._locks.abandon()

    def _living(self, holder: str, call: Callable[[Database], T]) -> Callable[[Database], T]:
        """The call, after which others can see whether this holder lives."""

        def locked(database: Database) -> T:
            self._locks.hold(holder)
            return call(database)

        return locked

    async def _write(self, call: Callable[[Database], T]) -> T:
        return await self._ask(self._writer, call)

    async def _read(self, call: Callable[[Database], T]) -> T:
        return await self._ask(self._readers, call)

    async def _ask(self, threads: Writer | Readers | None, call: Callable[[Database], T]) -> T:
        if threads is None:
            raise StoreError("The store is closed.")
        job = Job(call)
        threads.inbox.put(job)
        result: T = await job.future
        return result
