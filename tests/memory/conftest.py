"""The embedded model and a store of each kind for tests of memory."""

import pytest

from hector_nb.stores.in_memory import InMemoryStore
from hector_nb.stores.sqlite import SQLiteStore
from tests.models.conftest import embedded_file, embedded_model

__all__ = ["embedded_file", "embedded_model", "store"]


@pytest.fixture(params=["in_memory", "sqlite"])
async def store(request, tmp_path):
    store = InMemoryStore() if request.param == "in_memory" else SQLiteStore(tmp_path / "hector.db")
    await store.aopen()
    yield store
    await store.aclose()
