from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.proof.serving import Site, opened


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Servers over one store, on demand."""
    async with opened(tmp_path) as site:
        yield site
