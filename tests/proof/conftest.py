from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.models.conftest import embedded_file
from tests.proof.serving import Site, opened

__all__ = ["embedded_file", "site"]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Servers over one store, on demand."""
    async with opened(tmp_path) as site:
        yield site
