"""The threads that read from a SQLite store, each with its own connection and each job in one snapshot."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

import apsw

from hector_nb.stores.sqlite_database import Database, open_reader, translate
from hector_nb.stores.sqlite_jobs import Job, abandon, settle

READERS = 2


class Readers:
    """A small pool."""

    def __init__(self, path: Path) -> None:
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: Sequence[threading.Thread] = [
            threading.Thread(target=_read, args=(path, self._queue), name=f"hector-store-reader-{n}", daemon=True)
            for n in range(READERS)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def put(self, job: Job) -> None:
        """Hand over a job."""
        self._queue.put(job)

    def stop(self) -> None:
        """Let them finish what waits, and close."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()
        abandon(self._queue)


def _read(path: Path, queue: "SimpleQueue[Job | None]") -> None:
    database: Database | None = None
    while (job := queue.get()) is not None:
        try:
            database = database or open_reader(path)
            job.result = _in_snapshot(database, job)
        except apsw.Error as error:
            job.error = translate(error, path)
            job.error.__cause__ = error
        except Exception as error:  # noqa: BLE001 - the caller gets it
            job.error = error
        settle([job])
    if database is not None:
        database.connection.close()


def _in_snapshot(database: Database, job: Job) -> object:
    database.run("BEGIN")
    try:
        return job.call(database)
    finally:
        with suppress(apsw.Error):
            database.run("COMMIT")
