"""The threads that read from a SQLite store, each with its own connection and each job in one snapshot."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import apsw

from hector_nb.stores.jobs import Inbox, Job, settle
from hector_nb.stores.sqlite_database import SQLiteDatabase, open_reader, translate
from hector_nb.stores.sqlite_file import OpenedFile

READERS = 2


class Readers:
    """A small pool."""

    def __init__(self, path: Path) -> None:
        self.inbox = Inbox()
        self._threads: Sequence[threading.Thread] = [
            threading.Thread(target=_read, args=(path, self.inbox), name=f"hector-store-reader-{n}", daemon=True)
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


def _read(path: Path, inbox: Inbox) -> None:
    database: SQLiteDatabase | None = None
    file = OpenedFile(path)
    while (job := inbox.get()) is not None:
        try:
            file.check()
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


def _in_snapshot(database: SQLiteDatabase, job: Job) -> object:
    database.run("BEGIN")
    try:
        return job.call(database)
    finally:
        with suppress(apsw.Error):
            database.run("COMMIT")
