"""Fixtures and rules that every room's tests share."""

import os
import shutil

import pytest
from hypothesis import settings

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = (
    "0"  # tests that fork share their process with those of gRPC, which reads this at import
)
_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY")


def pytest_configure() -> None:
    """No key of this machine's user sways a test, or is spent by one; no test fails for a slow machine."""
    settings.register_profile("any machine", deadline=None)
    settings.load_profile("any machine")
    for name in list(os.environ):
        if name in _KEYS or name.startswith("HECTOR_"):
            del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser its tests are skipped and say so; in CI that is an error."""
    if shutil.which("chromium"):
        return
    if os.environ.get("CI") and any(item.get_closest_marker("browser") for item in items):
        raise pytest.UsageError("The browser tests need `chromium` on the PATH.")
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason="there is no `chromium` on the PATH"))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """All asynchronous tests run on asyncio."""
    return "asyncio"
