import pytest

from hector_nb.stores.in_memory import InMemoryStore
from hector_nb.stores.sqlite import SQLiteStore


@pytest.fixture(params=["in_memory", "sqlite"])
async def store(request, tmp_path):
    store = InMemoryStore() if request.param == "in_memory" else SQLiteStore(tmp_path / "hector.db")
    await store.aopen()
    yield store
    await store.aclose()


@pytest.fixture
async def elsewhere(store):
    """The store as another process has it open."""
    other = SQLiteStore(store.path) if isinstance(store, SQLiteStore) else store
    await other.aopen()
    yield other
    await other.aclose()


@pytest.fixture
async def sqlite(tmp_path):
    store = SQLiteStore(tmp_path / "hector.db")
    await store.aopen()
    yield store
    await store.aclose()
