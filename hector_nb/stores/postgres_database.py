"""One connection to a PostgreSQL store: how it is opened, checked and migrated, and what its errors are called here."""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import PQGen

from hector_nb.errors import HectorError, StoreError, StoreFull, StoreUnavailable
from hector_nb.stores import postgres_vectors, sql
from hector_nb.stores.postgres_address import Address
from hector_nb.stores.postgres_dialect import adapt_values
from hector_nb.stores.postgres_pipeline import Pipeline, Rows
from hector_nb.stores.postgres_texts import PostgresTexts
from hector_nb.stores.sql_database import Database, Values

T = TypeVar("T")

SCHEMA = "hector"
"""Where the tables are, so that the database may be used for other things too."""
CHANNEL = "hector"
ANSWER_SECONDS = 10.0
"""How long an answer of the server is waited for before the connection counts as lost."""
_MIGRATIONS = "postgres_migrations"
_LOCKS = sql.queries("locks")
_OPENING = 0x48656374
"""The lock of who brings the schema up to date."""
_LONG_SECONDS = 3600.0
_FETCHED = 64
_SQL = sql.queries("postgres_writers")
_NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_TRANSIENT = ("08", "57P", "53300")
"""Beginnings of the codes of errors that pass: connections lost or refused, a server that stops or starts."""
CONFLICTS = (
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.LockNotAvailable,
    errors.UniqueViolation,
    errors.ForeignKeyViolation,
)
"""What another node did meanwhile; the transaction is begun anew."""


class _Connection(psycopg.Connection[Any]):
    """A connection that does not wait for an answer for ever."""

    answer_seconds: float | None = None
    """How long it waits, if not `ANSWER_SECONDS`."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        seconds = self.answer_seconds or ANSWER_SECONDS
        until = time.monotonic() + seconds
        try:
            return super().wait(_bounded(gen, until), interval, timeout)
        except _NoAnswer:
            self.pgconn.finish()
            raise errors.ConnectionFailure(f"no answer within {seconds:g} seconds") from None


class _NoAnswer(Exception):
    pass


def _bounded(gen: PQGen[T], until: float) -> Generator[Any, Any, T]:
    """The same steps; the driver takes one without news now and then, so that time can be looked at."""
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > until:
                gen.close()
                raise _NoAnswer
            wanted = gen.send(ready)
    except StopIteration as done:
        result: T = done.value
        return result


class PostgresDatabase(Database):
    """A connection, and what one transaction on it touches."""

    def __init__(self, connection: _Connection, *, writes: bool) -> None:
        super().__init__()
        self.connection = connection
        self.pipeline = Pipeline(connection)
        """A transaction is best run inside it."""
        self.has_written = False
        """Whether a statement was run that is more than a query; whoever wants to know sets it back before."""
        self._writes = writes
        self._begun: Rows | None = None
        self._now = 0
        self._names = count()
        self.held: set[str] = set()
        """Holders whose locks this connection keeps."""

    def take_time(self) -> None:
        """From now on statements may take long, and others may take long between them."""
        self.connection.answer_seconds = _LONG_SECONDS
        self.run("SELECT set_config('idle_in_transaction_session_timeout', '0', FALSE)")

    def begin(self, writer: str = "", number: int = 0) -> None:
        """Begin a transaction, as the writer's one of that number if there is one."""
        self.changed.clear()
        self._now = 0
        self._names = count()
        if self._writes:
            self.run("BEGIN")
            begun = f"{_NOW}, CAST(pg_current_xact_id() AS TEXT)"
            numbered = f"{_SQL['number']} RETURNING {begun}" if writer else f"SELECT {begun}"
            self._begun = self.run(numbered, {"writer": writer, "number": number} if writer else None)
        else:
            self.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            self._begun = None

    @property
    def transaction(self) -> str:
        """The id of a transaction that writes, by which can be asked later what became of it."""
        assert self._begun is not None
        return str(self._begun.fetchone()[1])

    def now(self) -> int:
        """The server's clock: where something is written, when the transaction began."""
        if not self._now:
            self._now = int(self._begun.fetchone()[0] if self._begun else self.value(f"SELECT {_NOW}"))
        return self._now

    def run(self, query: str, values: Values | None = None) -> Rows:
        """See `Database`."""
        self.has_written |= not query.startswith("SELECT")
        if self.pipeline.is_open:
            return self.pipeline.send(query, values)
        with self.pipeline:
            return self.pipeline.send(query, values)

    def ask(self, query: str, values: Values | None = None) -> Rows:
        """See `Database`."""
        return self.run(query, values)

    @contextmanager
    def lazily(self, query: str, values: Values | None = None) -> Iterator[Iterator[Any]]:
        """See `Database`."""
        yield self._fetched(query, values)

    def _fetched(self, query: str, values: Values | None) -> Iterator[Any]:
        """The first rows, which mostly are all, and then the others as they are wanted."""
        rows = self.all(f"{query} LIMIT {_FETCHED}", values)
        yield from rows
        if len(rows) < _FETCHED:
            return
        name = f"rows_{next(self._names)}"
        self.run(f"DECLARE {name} NO SCROLL CURSOR FOR {query}", values)
        self.run(f"MOVE {_FETCHED} FROM {name}")
        while rows := self.all(f"FETCH {_FETCHED} FROM {name}"):
            yield from rows

    def one(self, query: str, values: Values | None = None) -> Any:
        """See `Database`."""
        return self.run(query, values).fetchone()

    def all(self, query: str, values: Values | None = None) -> list[Any]:
        """See `Database`."""
        return self.run(query, values).fetchall()

    def count(self, query: str, values: Values | None = None) -> int:
        """See `Database`."""
        return len(self.run(f"{query} RETURNING 1", values).fetchall())

    def lock(self, what: str, **values: str | int) -> None:
        """See `Database`."""
        self.run(_LOCKS[what], values)

    @property
    def texts(self) -> PostgresTexts:
        """See `Database`."""
        return PostgresTexts(self)

    def put_vector(self, partition: int, memory: int, vector: bytes, embedder: int) -> None:
        """See `Database`."""
        postgres_vectors.put(self, partition, memory, vector, embedder)

    def erase_vector(self, partition: int, memory: int) -> None:
        """See `Database`."""
        postgres_vectors.erase(self, memory)

    def vectors(self) -> Iterator[tuple[int, int, int, bytes]]:
        """See `Database`."""
        return postgres_vectors.every(self)

    def run_many(self, query: str, values: Sequence[Values]) -> None:
        """See `Database`."""
        for each in values:
            self.run(query, each)

    def erase_everything(self, tables: Sequence[str]) -> None:
        """See `Database`."""
        self.run(f"TRUNCATE {', '.join(tables)}, texts, vectors, readers")

    def rows_were_given_keys(self, tables: Sequence[str]) -> None:
        """See `Database`."""
        for table in tables:
            self.run(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'key'), (SELECT max(key) FROM {table}))"  # noqa: S608
            )


def lost(error: psycopg.Error) -> bool:
    """Whether the server was not reached, or was lost: the same may work later."""
    code = error.sqlstate
    if code is None:
        return isinstance(error, psycopg.OperationalError)
    return code.startswith(_TRANSIENT)


def translate(error: psycopg.Error, address: Address) -> HectorError:
    """What a driver error means to a caller. What the server says of values is left out."""
    told = error.diag.message_primary or str(error).partition("\n")[0]
    told = address.without_secrets(told)
    if isinstance(error, errors.DiskFull):
        return StoreFull(f"The database {address.shown} has no room left.", hint="Free some space on its server.")
    if lost(error):
        return StoreUnavailable(
            f"The database {address.shown} cannot be reached: {told}",
            hint="Check that its server runs and that storage.url names it, then try again.",
        )
    if isinstance(error, CONFLICTS):
        return StoreUnavailable(f"The database {address.shown} is too busy: {told}", hint="Try again.")
    if isinstance(error, errors.InsufficientPrivilege):
        return StoreError(
            f"The database {address.shown} refuses this: {told}", hint=f"Let its user own the schema {SCHEMA!r}."
        )
    return StoreError(f"The database {address.shown} failed: {told}")


def connect(address: Address, *, writes: bool = False) -> PostgresDatabase:
    """A connection to an open store.

    Raises:
        psycopg.Error: there is none to be had.
    """
    connection = _Connection.connect(address.conninfo, autocommit=True)
    try:
        adapt_values(connection)
        connection.execute(
            "SELECT set_config('search_path', concat_ws(', ', %(schema)s, ("
            "SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace"
            " WHERE extname = 'vector')), FALSE), set_config('lock_timeout', '5s', FALSE),"
            " set_config('idle_in_transaction_session_timeout', '60s', FALSE), set_config('jit', 'off', FALSE),"
            # Every query has its index, but a plan that was made when a table was nearly empty would not use it.
            " set_config('enable_seqscan', 'off', FALSE), set_config('enable_hashjoin', 'off', FALSE),"
            " set_config('enable_mergejoin', 'off', FALSE), set_config('plan_cache_mode', 'force_generic_plan', FALSE)",
            {"schema": SCHEMA},
        )
    except BaseException:
        connection.close()
        raise
    return PostgresDatabase(connection, writes=writes)


def open_store(address: Address) -> None:
    """Bring the schema up to date, one process at a time.

    Raises:
        StoreError: the store has a newer version, or its server lacks something.
        StoreUnavailable: the server cannot be reached.
    """
    try:
        database = connect(address)
        with database.connection as connection:
            database.take_time()
            if _version(connection, address) < len(sql.migrations(_MIGRATIONS)):
                _migrate(connection, address)
    except psycopg.Error as error:
        raise translate(error, address) from error


def _version(connection: psycopg.Connection[Any], address: Address) -> int:
    known = len(sql.migrations(_MIGRATIONS))
    found = connection.execute("SELECT to_regclass('hector.version') IS NOT NULL").fetchone()
    if not found or not found[0]:
        return 0
    row = connection.execute("SELECT version FROM hector.version").fetchone()
    version = int(row[0]) if row else 0
    if version > known:
        raise StoreError(
            f"The database {address.shown} has version {version}, newer than this program's {known}.",
            hint="Upgrade hector_nb, or name another database in storage.url.",
        )
    return version


def _migrate(connection: psycopg.Connection[Any], address: Address) -> None:
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_OPENING])
        version = _version(connection, address)
        if version == 0:
            _prepare(connection, address)
        for number, migration in enumerate(sql.migrations(_MIGRATIONS)[version:], version + 1):
            connection.execute(migration)
            connection.execute("UPDATE hector.version SET version = %s", [number])


def _prepare(connection: psycopg.Connection[Any], address: Address) -> None:
    row = connection.execute("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'").fetchone()
    if not row or not row[0]:
        raise StoreError(
            f"The server of {address.shown} has no extension `vector`.",
            hint="Install pgvector on the server: https://github.com/pgvector/pgvector.",
        )
    connection.execute("CREATE SCHEMA IF NOT EXISTS hector")
    connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    connection.execute("CREATE TABLE hector.version (version INTEGER NOT NULL)")
    connection.execute("INSERT INTO hector.version (version) VALUES (0)")
