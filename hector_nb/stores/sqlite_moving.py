"""A SQLite store that is moved from or to: its database in one transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hector_nb.errors import StoreError
from hector_nb.stores.sql_database import Database
from hector_nb.stores.sqlite_database import open_database, translated


@contextmanager
def leaving(path: Path) -> Iterator[Database]:
    """What is moved away from: one snapshot of it.

    Raises:
        StoreError: there is no such file, or it is none of ours.
    """
    if not path.exists():
        raise StoreError(f"There is no database {path}.", hint="Check the path; `sqlite:////folder` has four slashes.")
    database = open_database(path)
    try:
        with translated(path):
            database.run("BEGIN")
            yield database
    finally:
        database.connection.close()


@contextmanager
def entering(path: Path) -> Iterator[Database]:
    """What is moved to; it stays as it was where something fails.

    Raises:
        StoreError: it cannot be opened or written.
    """
    database = open_database(path)
    try:
        with translated(path):
            database.run("BEGIN IMMEDIATE")
            yield database
            database.run("COMMIT")
    finally:
        database.connection.close()
