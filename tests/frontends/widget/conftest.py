"""A world for each test; at its end what every view was told is what the kernel knows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.frontends.widget.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()
