"""Every test of the engine runs over each store, and those that ask only the service over each way to reach it, too."""

import pytest

from hector_nb.stores.in_memory import InMemoryStore
from hector_nb.stores.sqlite import SQLiteStore
from tests.runtime import served, world


@pytest.fixture(params=["in_memory", "sqlite", "over_http", "over_grpc"], autouse=True)
def new_store(request, tmp_path, monkeypatch):
    """All engines of a test have one database; each opens it for itself, as a process does."""
    shared = InMemoryStore()

    def make():
        return SQLiteStore(tmp_path / "hector.db") if request.param == "sqlite" else shared

    monkeypatch.setattr(world, "new_store", make)
    if request.param == "over_http":
        monkeypatch.setattr(world, "services", served.over_http)
    if request.param == "over_grpc":
        monkeypatch.setattr(world, "services", served.over_grpc)
