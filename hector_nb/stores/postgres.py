"""The PostgreSQL store: one database for any number of nodes, usable from every event loop of a process.

Above is what all stores in SQL share (`sql_store`). Below are a thread that writes (`postgres_writer`), threads that read
(`postgres_readers`), and one that hears what other nodes change (`postgres_listener`). Who lives is told by heartbeats, by the
clock of the database, and by locks (`postgres_signs`). What is erased is gone for every reader at once; its bytes leave the
server's files when the server vacuums them.
"""

import asyncio

import psycopg

from hector_nb.stores.postgres_address import Address
from hector_nb.stores.postgres_database import open_store, translate
from hector_nb.stores.postgres_listener import Listener
from hector_nb.stores.postgres_readers import make_readers
from hector_nb.stores.postgres_signs import ConnectionSigns
from hector_nb.stores.postgres_vectors import PostgresVectors
from hector_nb.stores.postgres_writer import Writer
from hector_nb.stores.reader_pool import ReaderPool
from hector_nb.stores.sql_store import SQLStore
from hector_nb.stores.watches import Watches


class PostgresStore(SQLStore):
    """A `Store` in a PostgreSQL database with pgvector, in a schema of its own, which is made where it is missing.

    Raises:
        ConfigError: the URL cannot be read.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.address = Address(url)
        self._watches = Watches()
        self._signs = ConnectionSigns(lambda: self._listener)
        self._vectors = PostgresVectors()
        self._writer: Writer | None = None
        self._readers: ReaderPool | None = None
        self._listener: Listener | None = None

    async def aopen(self) -> None:
        """See `Store`."""
        if self._writer is None:
            await asyncio.to_thread(self._open)

    def _open(self) -> None:
        open_store(self.address)
        writer, readers = Writer(self.address, self._watches), make_readers(self.address)
        listener = Listener(self.address, self._watches, lambda: writer.pid)
        try:
            listener.open()
        except psycopg.Error as error:
            raise translate(error, self.address) from error
        writer.start()
        readers.start()
        self._writer, self._readers, self._listener = writer, readers, listener

    async def aclose(self) -> None:
        """See `Store`."""
        writer, readers, listener = self._writer, self._readers, self._listener
        self._writer = self._readers = self._listener = None
        if writer is not None and readers is not None and listener is not None:
            await asyncio.to_thread(readers.stop)
            writer.inbox.close()
            await asyncio.to_thread(writer.join)
            await asyncio.to_thread(listener.close)

    def _look_up(self) -> None:
        """The listener hears everything anyway."""
