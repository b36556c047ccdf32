"""One connection to a SQLite store: how a file is opened, checked and migrated, and what its errors are called here."""

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import apsw

from hector_nb.errors import HectorError, StoreError, StoreFull
from hector_nb.stores import mounts, sql
from hector_nb.stores.codec import clean, searched
from hector_nb.stores.sql_database import Database, Values
from hector_nb.stores.sqlite_texts import SQLiteTexts

APPLICATION_ID = 0x48656374
_VECTORS = sql.queries("vectors")
_ALL_VECTORS = sql.queries("moving")["all_vectors"]
_MUST_SCRUB = sql.queries("shredder")["must_scrub"]
BUSY_SECONDS = 10.0
_LONGEST_PAUSE = 0.005
_MOVE = "Set HECTOR_HOME to a folder on a local disk, or move this file away to begin a new store."
_STATEMENTS = 300
"""Statements that a connection keeps prepared; those of the full-text index are in sixteen copies."""
_FLAGS = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOMUTEX

_MEANINGS: tuple[tuple[type[apsw.Error], type[StoreError], str, str], ...] = (
    (apsw.FullError, StoreFull, "has no room left", "Free some disk space; nothing that was acknowledged is lost."),
    (apsw.ReadOnlyError, StoreError, "cannot be written", "Check owner and mode of the file, its folder and its disk."),
    (apsw.PermissionsError, StoreError, "cannot be written", "Check owner and mode of the file, its folder and disk."),
    (apsw.CantOpenError, StoreError, "cannot be opened", "Check owner and mode of the file and of its folder."),
    (apsw.NotADBError, StoreError, "is not a database", _MOVE),
    (
        apsw.CorruptError,
        StoreError,
        "is damaged",
        "Stop all programs that use it; `sqlite3 FILE .recover` may save it.",
    ),
    (apsw.BusyError, StoreError, "is held by another process", "Stop the program that holds it, or try again."),
    (apsw.LockedError, StoreError, "is held by another process", "Stop the program that holds it, or try again."),
    (apsw.IOError, StoreError, "cannot be read or written", "Check the disk that it lies on."),
)


class SQLiteDatabase(Database):
    """A connection, and what one transaction on it touches."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__()
        self.connection = connection
        self.untidy = False
        """Whether something was erased that may leave the files later, when nobody waits."""

    def run(self, query: str, values: Values | None = None) -> apsw.Cursor:
        """Run a statement; its rows are read from the cursor."""
        try:
            return self.connection.execute(query, values)
        except UnicodeEncodeError:
            assert values is not None
            return self.connection.execute(query, {k: clean(v) if isinstance(v, str) else v for k, v in values.items()})

    def one(self, query: str, values: Values | None = None) -> Any:
        """The first row, None where there is none."""
        return self.run(query, values).fetchone()

    def all(self, query: str, values: Values | None = None) -> list[Any]:
        """All rows."""
        return self.run(query, values).fetchall()

    def ask(self, query: str, values: Values | None = None) -> list[Any]:
        """See `Database`."""
        return self.all(query, values)

    def lazily(self, query: str, values: Values | None = None) -> AbstractContextManager[Iterator[Any]]:
        """See `Database`."""
        return closing(self.run(query, values))

    def count(self, query: str, values: Values | None = None) -> int:
        """See `Database`."""
        self.run(query, values)
        return self.connection.changes()

    def lock(self, what: str, **values: str | int) -> None:
        """Only one connection writes at a time."""

    def now(self) -> int:
        """The clock of this machine."""
        return time.time_ns() // 1000

    @property
    def texts(self) -> SQLiteTexts:
        """See `Database`."""
        return SQLiteTexts(self)

    def put_vector(self, partition: int, memory: int, vector: bytes, embedder: int) -> None:
        """See `Database`."""
        values: Values = {"partition": partition, "memory": memory, "vector": vector, "embedder": embedder}
        if self.one(_VECTORS["has_vector_after"], values):
            self.run(_VECTORS["vectors_changed"], values)
        self.run(_VECTORS["put_vector"], values)

    def erase_vector(self, partition: int, memory: int) -> None:
        """See `Database`."""
        values: Values = {"partition": partition, "memory": memory}
        self.run(_VECTORS["erase_vector"], values)
        self.run(_VECTORS["vectors_changed"], values)

    def vectors(self) -> Iterator[tuple[int, int, int, bytes]]:
        """See `Database`."""
        yield from self.run(_ALL_VECTORS)

    def run_many(self, query: str, values: Sequence[Values]) -> None:
        """See `Database`."""
        self.connection.executemany(query, values)

    def erase_everything(self, tables: Sequence[str]) -> None:
        """See `Database`."""
        self.texts.erase_everything()
        for table in ("readers", "vectors", *reversed(tables)):
            self.run(f"DELETE FROM {table}")  # noqa: S608 - names of our own
        self.run(_MUST_SCRUB).fetchall()

    def rows_were_given_keys(self, tables: Sequence[str]) -> None:
        """SQLite takes note by itself."""


def translate(error: apsw.Error, path: Path) -> HectorError:
    """What a driver error means to a caller."""
    for kind, cls, meaning, hint in _MEANINGS:
        if isinstance(error, kind):
            return cls(f"The database {path} {meaning}.", hint=hint)
    return StoreError(f"The database {path} failed: {error}")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Let nothing of the driver out."""
    try:
        yield
    except apsw.Error as error:
        raise translate(error, path) from error


def open_database(path: Path) -> SQLiteDatabase:
    """Open the store for writing, create it where there is none, and bring its schema up to date.

    Raises:
        StoreError: it lies on a network file system, is not one of ours, of a newer version, or cannot be opened.
    """
    path = path.resolve()
    kind = mounts.network_file_system(path, mounts.read_mounts())
    if kind is not None:
        raise StoreError(
            f"The database {path} would lie on a network file system ({kind}), where it is not safe.",
            hint="Set HECTOR_HOME to a folder on a local disk.",
        )
    _prepare_file(path)
    with translated(path):
        database = connect(path)
        try:
            database.run("BEGIN")  # one look: another process may be creating the store
            _check(database, path)
            database.run("COMMIT")
            _prepare(database)
            _migrate(database, path)
        except BaseException:
            database.connection.close()
            raise
    return database


def open_reader(path: Path) -> SQLiteDatabase:
    """A connection to an open store that only reads."""
    with translated(path):
        database = connect(path.resolve())
        database.run("PRAGMA query_only = ON")
    return database


def connect(path: Path) -> SQLiteDatabase:
    """A bare connection that waits for others' locks."""
    connection = apsw.Connection(os.fspath(path), flags=_FLAGS, statementcachesize=_STATEMENTS)
    connection.set_busy_handler(patience(BUSY_SECONDS))
    # Otherwise partial indexes have statements prepared anew for each binding, which costs more than to run them.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.create_scalar_function("words", lambda *texts: searched(str(texts[0])), 1, deterministic=True)
    return SQLiteDatabase(connection)


def patience(seconds: float) -> Callable[[int], bool]:
    """A busy handler: short, uneven pauses, so that a lock changes hands quickly and nobody starves."""
    until = 0.0

    def wait(attempt: int) -> bool:
        nonlocal until
        if attempt == 0:
            until = time.monotonic() + seconds
        time.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.0005 * (attempt + 1))))  # noqa: S311
        return time.monotonic() < until

    return wait


def _prepare_file(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # An existing file is not touched: closing a descriptor of it would drop this process's locks.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if path.is_file() and path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise StoreError(
            f"The database {path} cannot be created: {error.strerror}.",
            hint="Check owner and mode of its folder, or set HECTOR_HOME to another one.",
        ) from error


def _check(database: SQLiteDatabase, path: Path) -> None:
    version = database.value("PRAGMA user_version")
    ours = database.value("PRAGMA application_id") == APPLICATION_ID
    if not ours and database.value("SELECT count(*) FROM sqlite_schema"):
        raise StoreError(f"The database {path} belongs to another program.", hint=_MOVE)
    if version > len(sql.migrations()):
        raise StoreError(
            f"The database {path} has version {version}, newer than this program's {len(sql.migrations())}.",
            hint="Upgrade hector_nb, or set HECTOR_HOME to another folder.",
        )


def _prepare(database: SQLiteDatabase) -> None:
    database.run("PRAGMA auto_vacuum = INCREMENTAL")
    # SQLite does not call the busy handler where several processes switch a new file to WAL.
    wait = patience(BUSY_SECONDS)
    attempt = 0
    while True:
        try:
            database.run("PRAGMA journal_mode = WAL")
            break
        except apsw.BusyError:
            if not wait(attempt):
                raise
            attempt += 1
    for pragma in (
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",
        "temp_store = MEMORY",
        "cache_size = -8000",
        "journal_size_limit = 4000000",
    ):
        database.run(f"PRAGMA {pragma}")


def _migrate(database: SQLiteDatabase, path: Path) -> None:
    database.run("BEGIN IMMEDIATE")
    _check(database, path)
    version = database.value("PRAGMA user_version")
    for number, migration in enumerate(sql.migrations()[version:], version + 1):
        database.all(migration)
        database.run(f"PRAGMA user_version = {number}")
        database.run(f"PRAGMA application_id = {APPLICATION_ID}")
    database.run("COMMIT")
