import pytest

from hector_nb.stores.in_memory import InMemoryStore
from hector_nb.stores.sqlite import SQLiteStore


@pytest.fixture(params=["in_memory", "sqlite"])
async def store(request, tmp_path):
    store = InMemoryStore() if request.param == "in_memory" else SQLiteStore(tmp_path / "hector.db")
    await store.aopen()
    yield store
    await store.aclose()
