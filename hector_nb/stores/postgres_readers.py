"""The threads that read from a PostgreSQL store, each with its own connection and each job in one snapshot."""

import time
from functools import partial

import psycopg

from hector_nb.stores.jobs import Inbox, Job, settle
from hector_nb.stores.postgres_address import Address
from hector_nb.stores.postgres_database import PostgresDatabase, connect, lost, translate
from hector_nb.stores.reader_pool import ReaderPool

READERS = 4
PATIENCE = 10.0
"""Seconds for which a call waits for a server that is away."""
_PAUSE = 0.2


def make_readers(address: Address) -> ReaderPool:
    """The threads, not yet started."""
    return ReaderPool(partial(_read, address), threads=READERS)


def _read(address: Address, inbox: Inbox) -> None:
    database: PostgresDatabase | None = None
    while (job := inbox.get()) is not None:
        while True:
            try:
                if database is None or database.connection.closed:
                    database = connect(address)
                _in_snapshot(database, job)
                break
            except psycopg.Error as error:
                if database is not None:
                    database.connection.close()
                if not lost(error) or time.monotonic() > job.asked_at + PATIENCE:
                    job.error = translate(error, address)
                    job.error.__cause__ = error
                    break
                time.sleep(_PAUSE)
        settle([job])
    if database is not None:
        database.connection.close()


def _in_snapshot(database: PostgresDatabase, job: Job) -> None:
    with database.pipeline:
        database.begin()
        try:
            job.result = job.call(database)
        except psycopg.Error:
            raise
        except Exception as error:  # noqa: BLE001 - the caller gets it
            job.error = error
        database.run("COMMIT")
