"""The threads that read from a PostgreSQL store, each with its own connection and each job in one snapshot."""

import threading
import time
from collections.abc import Sequence

import psycopg

from hector_nb.stores.jobs import Inbox, Job, settle
from hector_nb.stores.postgres_address import Address
from hector_nb.stores.postgres_database import PostgresDatabase, connect, lost, translate

READERS = 4
PATIENCE = 10.0
"""Seconds for which a call waits for a server that is away."""
_PAUSE = 0.2


class Readers:
    """A small pool."""

    def __init__(self, address: Address) -> None:
        self.inbox = Inbox()
        self._threads: Sequence[threading.Thread] = [
            threading.Thread(target=_read, args=(address, self.inbox), name=f"hector-store-reader-{n}", daemon=True)
            for n in range(READERS)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let them finish what waits, and close."""
        self.inbox.close(threads=len(self._threads))
        for thread in self._threads:
            thread.join()


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
