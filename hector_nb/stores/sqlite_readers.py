"""The threads that read from a SQLite store, each with its own connection and each job in one snapshot."""

from contextlib import suppress
from functools import partial
from pathlib import Path

import apsw

from hector_nb.stores.jobs import Inbox, Job, settle
from hector_nb.stores.reader_pool import ReaderPool
from hector_nb.stores.sqlite_database import SQLiteDatabase, open_reader, translate
from hector_nb.stores.sqlite_file import OpenedFile

READERS = 2


def make_readers(path: Path) -> ReaderPool:
    """The threads, not yet started."""
    return ReaderPool(partial(_read, path), threads=READERS)


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
