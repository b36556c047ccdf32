"""A PostgreSQL store that is moved from or to: its database in one transaction."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from hector_nb.stores.postgres_address import Address
from hector_nb.stores.postgres_database import connect, open_store, translate
from hector_nb.stores.sql_database import Database


@contextmanager
def moving(url: str, *, writes: bool) -> Iterator[Database]:
    """The database: where it `writes` what is moved to, which stays as it was where something fails; else one snapshot of it.

    Raises:
        ConfigError: the URL cannot be read.
        StoreError: it cannot be reached, read or written.
    """
    address = Address(url)
    open_store(address)
    try:
        database = connect(address, writes=writes)
        database.take_time()
        with database.connection, database.pipeline:
            database.begin()
            yield database
            database.run("COMMIT")
    except psycopg.Error as error:
        raise translate(error, address) from error
