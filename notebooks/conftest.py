"""The notebooks are tests: every cell runs, and what is not ignored must come out as it was saved."""

import os
import tempfile
from pathlib import Path

import pytest

from tests.notebook_home import use_home


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep their sessions out of this user's home."""
    if any(item.path.suffix == ".ipynb" for item in session.items):
        folder = tempfile.TemporaryDirectory(prefix="hector-notebooks-")
        session.config.add_cleanup(folder.cleanup)
        use_home(Path(folder.name) / "home", os.environ)
