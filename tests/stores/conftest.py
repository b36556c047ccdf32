import pytest

from hector_nb.stores.in_memory import InMemoryStore


@pytest.fixture(params=["in_memory"])
async def store(request):
    store = InMemoryStore()
    await store.aopen()
    yield store
    await store.aclose()
