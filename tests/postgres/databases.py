"""Fresh databases on one server for all tests of a process."""

import atexit
from contextlib import ExitStack
from functools import cache
from itertools import count

import psycopg

from hector_nb.stores.postgres_address import Address
from hector_nb.stores.postgres_database import open_store

from .server import Server, running

_numbers = count()


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
    name = Address(url).conninfo.partition("dbname=")[2].split()[0]
    _run(f"DROP DATABASE {name} WITH (FORCE)")


def _run(statement: str) -> None:
    with psycopg.connect(server().url(), autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[arg-type]
