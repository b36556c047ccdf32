"""Every test of the engine runs over each store."""

import pytest

from hector_nb.stores.in_memory import InMemoryStore
from hector_nb.stores.sqlite import SQLiteStore
from tests.runtime import world


@pytest.fixture(params=["in_memory", "sqlite"], autouse=True)
def new_store(request, tmp_path, monkeypatch):
    """All engines of a test have one database; each opens it for itself, as a process does."""
    shared = InMemoryStore()

    def make():
        return shared if request.param == "in_memory" else SQLiteStore(tmp_path / "hector.db")

    monkeypatch.setattr(world, "new_store", make)
