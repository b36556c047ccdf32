"""Every test of the engine runs over each store."""

import pytest

from hector_nb.stores.in_memory import InMemoryStore
from hector_nb.stores.postgres import PostgresStore
from hector_nb.stores.sqlite import SQLiteStore
from tests.postgres import databases
from tests.runtime import world


@pytest.fixture(params=["in_memory", "sqlite", "postgres"], autouse=True)
def new_store(request, tmp_path, monkeypatch):
    """All engines of a test have one database; each opens it for itself, as a process does."""
    shared = InMemoryStore()
    url = databases.fresh() if request.param == "postgres" else ""

    def make():
        match request.param:
            case "in_memory":
                return shared
            case "sqlite":
                return SQLiteStore(tmp_path / "hector.db")
            case _:
                return PostgresStore(url)

    monkeypatch.setattr(world, "new_store", make)
    yield
    if url:
        databases.drop(url)
