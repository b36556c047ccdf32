import pytest

from hector_nb.stores import postgres_signs
from hector_nb.stores.in_memory import InMemoryStore
from hector_nb.stores.postgres import PostgresStore
from hector_nb.stores.sqlite import SQLiteStore
from tests.postgres import databases


@pytest.fixture
def postgres_url():
    """A new database with the tables of a store."""
    url = databases.fresh()
    yield url
    databases.drop(url)


@pytest.fixture
def clean_url():
    """A database with the tables of a store, which nothing but stores may touch."""
    with databases.clean() as url:
        yield url


@pytest.fixture
def steady(monkeypatch):
    """A machine that stands still for a second is not taken for an outage of the server, during which nobody is dead."""
    monkeypatch.setattr(postgres_signs, "STEADY_SECONDS", 0.0)


@pytest.fixture(params=["in_memory", "sqlite", "postgres"])
async def store(request, tmp_path, steady):
    match request.param:
        case "in_memory":
            store = InMemoryStore()
        case "sqlite":
            store = SQLiteStore(tmp_path / "hector.db")
        case "postgres":
            store = PostgresStore(request.getfixturevalue("clean_url"))
    await store.aopen()
    yield store
    await store.aclose()


@pytest.fixture
async def elsewhere(store):
    """The store as another process has it open."""
    match store:
        case SQLiteStore():
            other = SQLiteStore(store.path)
        case PostgresStore():
            other = PostgresStore(store.url)
        case _:
            other = store
    await other.aopen()
    yield other
    await other.aclose()


@pytest.fixture
async def sqlite(tmp_path):
    store = SQLiteStore(tmp_path / "hector.db")
    await store.aopen()
    yield store
    await store.aclose()
