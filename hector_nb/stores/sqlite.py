"""The SQLite store: one file, safe for several processes at once, usable from every event loop of a process.

Above is what all stores in SQL share (`sql_store`). Below are a thread that writes (`sqlite_writer`), threads that read
(`sqlite_readers`), and the locks by which processes know who lives (`holder_locks`).
"""

import asyncio
import os
from collections.abc import Set
from pathlib import Path

from hector_nb.stores.holder_locks import HolderLocks
from hector_nb.stores.reader_pool import ReaderPool
from hector_nb.stores.sql_database import Database
from hector_nb.stores.sql_holders import Holder
from hector_nb.stores.sql_store import SQLStore
from hector_nb.stores.sqlite_readers import make_readers
from hector_nb.stores.sqlite_vectors import VectorCache
from hector_nb.stores.sqlite_writer import Writer
from hector_nb.stores.watches import Watches


class SQLiteStore(SQLStore):
    """A `Store` in a file. Folder and file are created where they are missing, readable by their owner alone."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()  # a program may go to another folder
        self._watches = Watches()
        self._locks = HolderLocks(self.path.with_name(f"{self.path.name}-holders"))
        self._signs = _FileSigns(self._locks)
        self._vectors = VectorCache()
        self._writer: Writer | None = None
        self._readers: ReaderPool | None = None

    async def aopen(self) -> None:
        """See `Store`."""
        if self._writer is not None:
            return
        writer, readers = Writer(self.path, self._watches), make_readers(self.path)
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

    def _look_up(self) -> None:
        if self._writer is not None:
            self._writer.inbox.nudge()


class _FileSigns:
    """Processes of one machine see each other's locks."""

    def __init__(self, locks: HolderLocks) -> None:
        self._locks = locks

    def hold(self, db: Database, holder: str) -> None:
        """See `SignsOfLife`."""
        self._locks.hold(holder)

    def release(self, db: Database, holder: str) -> None:
        """See `SignsOfLife`."""
        self._locks.release(holder)

    def alive(self, db: Database, holder: Holder) -> bool | None:
        """See `SignsOfLife`."""
        return self._locks.alive(holder.holder)

    def remove_others(self, known: Set[str]) -> None:
        """See `SignsOfLife`."""
        self._locks.remove_others(known)
