"""Every test of the engine runs over each store, and those that ask only the service over each way to reach it, too."""

import pytest

from hector_nb.stores.in_memory import InMemoryStore
from hector_nb.stores.postgres import PostgresStore
from hector_nb.stores.sqlite import SQLiteStore
from tests.postgres import databases
from tests.runtime import served, world

WAYS = ["in_memory", "sqlite", "over_http", "over_grpc"]
OVER_POSTGRES = {"test_processes", "test_recovery", "test_remembering", "test_ledgers"}
"""What depends on how processes share a database, and on all kinds of rows."""


def pytest_generate_tests(metafunc):
    """A file may have stores of its own, and a test may choose."""
    chosen = any("new_store" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    if "new_store" in metafunc.fixturenames and not chosen and not hasattr(metafunc.module, "new_store"):
        name = metafunc.module.__name__.rpartition(".")[2]
        metafunc.parametrize("new_store", [*WAYS, "postgres"] if name in OVER_POSTGRES else WAYS, indirect=True)


@pytest.fixture
def clean_url():
    """A database which nothing but stores may touch."""
    with databases.clean() as url:
        yield url


@pytest.fixture(autouse=True)
def new_store(request, tmp_path, monkeypatch):
    """All engines of a test have one database; each opens it for itself, as a process does."""
    shared = InMemoryStore()
    url = request.getfixturevalue("clean_url") if request.param == "postgres" else ""

    def make():
        match request.param:
            case "sqlite":
                return SQLiteStore(tmp_path / "hector.db")
            case "postgres":
                return PostgresStore(url)
            case _:
                return shared

    monkeypatch.setattr(world, "new_store", make)
    if request.param == "over_http":
        monkeypatch.setattr(world, "services", served.over_http)
    if request.param == "over_grpc":
        monkeypatch.setattr(world, "services", served.over_grpc)
