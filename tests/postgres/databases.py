"""Fresh databases on one server for all tests of a process."""

import atexit
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import count

import psycopg

from hector_nb.stores.postgres_address import Address
from hector_nb.stores.postgres_database import open_store

from .server import Server, running

_numbers = count()
_clean: list[str] = []
_EMPTY = """
SET session_replication_role = replica;
DO $$ DECLARE each record; BEGIN
    FOR each IN SELECT relname AS name, pg_relation_size(oid) > 65536 AS is_large FROM pg_class
            WHERE relnamespace = 'hector'::regnamespace AND relkind = 'r' AND relname <> 'version'
            AND pg_relation_size(oid) > 0 LOOP
        EXECUTE format(CASE WHEN each.is_large THEN 'TRUNCATE hector.%I CASCADE' ELSE 'DELETE FROM hector.%I' END, each.name);
    END LOOP;
    PERFORM setval(format('%I.%I', schemaname, sequencename), start_value, FALSE)
        FROM pg_sequences WHERE last_value IS NOT NULL;
END $$
"""
"""Leaves the tables of a store as they were made, in a fraction of the time of a new database."""


@cache
def server() -> Server:
    """This process's server; it stops with the process."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(running())


@cache
def _template() -> str:
    _run("CREATE DATABASE template_hector")
    open_store(Address(server().url("template_hector")))
    return "template_hector"


def fresh(*, empty: bool = False) -> str:
    """The URL of a new database: with the tables of a store, or `empty`."""
    name = f"test_{next(_numbers)}"
    _run(f"CREATE DATABASE {name}" + ("" if empty else f" TEMPLATE {_template()} STRATEGY FILE_COPY"))
    return server().url(name)


def drop(url: str) -> None:
    """Remove a database, whoever still uses it."""
    _run(f"DROP DATABASE {_name(url)} WITH (FORCE)")


def _run(statement: str) -> None:
    with psycopg.connect(server().url(), autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[arg-type]


@contextmanager
def clean() -> Iterator[str]:
    """The URL of a database with the empty tables of a store, for a test that leaves all it does there to stores.

    It is emptied after the test, and then given to another one.
    """
    url = _clean.pop() if _clean else fresh()
    try:
        yield url
    finally:
        with psycopg.connect(server().url(), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", [_name(url)]
            )
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_EMPTY)
        _clean.append(url)


def terminate(url: str, condition: str) -> int:
    """End the connections to a database for which this is true; how many."""
    name = _name(url)
    with psycopg.connect(server().url(), autocommit=True) as connection:
        ended = connection.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND ({condition})"  # type: ignore[arg-type]
        )
        return len(ended.fetchall())


@contextmanager
def statements() -> Iterator[list[str]]:
    """What the server is asked in the block, in a list that is filled when it is over."""
    log = server().folder / "log"
    found: list[str] = []
    try:
        _log_statements("'all'", "'log'")
        begin = log.stat().st_size
        yield found
        with log.open("rb") as file:
            file.seek(begin)
            found += re.findall(r"LOG:  (?:statement|execute [^:]*): (.+)", file.read().decode())
    finally:
        _log_statements("DEFAULT", "'fatal'")


def _log_statements(which: str, level: str) -> None:
    _run(f"ALTER SYSTEM SET log_statement = {which}")
    _run(f"ALTER SYSTEM SET log_min_messages = {level}")
    _run("SELECT pg_reload_conf()")


def _name(url: str) -> str:
    return Address(url).conninfo.partition("dbname=")[2].split()[0]
