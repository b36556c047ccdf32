"""The database that an address names."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path

from hector_nb.config.home import store_url
from hector_nb.config.loader import LoadedConfig
from hector_nb.errors import ConfigError
from hector_nb.stores.base import Store
from hector_nb.stores.sql_database import Database


def make_store(loaded: LoadedConfig) -> Store:
    """The database named by `storage.url`.

    Raises:
        ConfigError: the URL cannot be read, or what it needs is not installed.
    """
    return store_at(store_url(loaded.config, folder=loaded.folder))


def has_store(loaded: LoadedConfig) -> bool:
    """Whether the database is there already, as far as that can be told without opening it."""
    scheme, _, path = store_url(loaded.config, folder=loaded.folder).partition("://")
    return scheme != "sqlite" or Path(path.removeprefix("/")).exists()


def store_at(url: str) -> Store:
    """The database at `sqlite:///path` (absolute) or `postgresql://…`.

    Raises:
        ConfigError: the URL cannot be read, or what it needs is not installed.
    """
    if path := _file_of(url):
        from hector_nb.stores.sqlite import SQLiteStore

        return SQLiteStore(path)
    from hector_nb.stores.postgres import PostgresStore

    return PostgresStore(url)


def move_store(source: str, target: str, *, replace: bool, tell: Callable[[str, int], None]) -> None:
    """Move everything from one store to another, at once or not at all; `tell` is called with each table and its number of rows.

    Raises:
        ConfigError: an address cannot be read, or what it needs is not installed.
        StoreError: a store cannot be opened, or the target is not empty and nobody said to `replace` what it has.
    """
    from hector_nb.stores.moving import move

    if source == target:
        raise ConfigError("The two addresses name the same store.")
    with _moving(source, writes=False) as here, _moving(target, writes=True) as there:
        move(here, there, replace=replace, tell=tell)


def _moving(url: str, *, writes: bool) -> AbstractContextManager[Database]:
    if path := _file_of(url):
        from hector_nb.stores import sqlite_moving

        return sqlite_moving.entering(path) if writes else sqlite_moving.leaving(path)
    from hector_nb.stores import postgres_moving

    return postgres_moving.moving(url, writes=writes)


def _file_of(url: str) -> Path | None:
    """The file of a SQLite store; None where it is PostgreSQL's, and that can be used.

    Raises:
        ConfigError: what is needed is not installed.
    """
    scheme, _, path = url.partition("://")
    if scheme == "sqlite":
        return Path(path.removeprefix("/"))
    if find_spec("psycopg") is None:
        raise ConfigError(
            problems=["storage.url: a PostgreSQL driver is not installed"],
            hint='Run: pip install "hector_nb[postgres]"',
        )
    return None
